//! The form that answers must have.

use bytes::Bytes;
use larder_store::{StoreError, StoreErrorKind};
use redis::{RedisResult, Value};

use super::Records;
use crate::failure::failed;

/// The root, and as many records as there are `ids`.
pub(super) fn records(answer: Value, ids: usize) -> Result<Records, StoreError> {
    let values = strings(answer)?;
    if values.len() == ids + 1 {
        Ok(Records(values))
    } else {
        Err(nonsense())
    }
}

/// A string, which may be missing. What is none is one that nobody can read: the server is well.
pub(super) fn string(answer: RedisResult<Value>) -> Result<Option<Bytes>, StoreError> {
    match answer {
        Ok(Value::BulkString(bytes)) => Ok(Some(Bytes::from(bytes))),
        Ok(Value::Nil) => Ok(None),
        Ok(_) => Err(nonsense()),
        Err(error) if error.code() == Some("WRONGTYPE") => Ok(Some(Bytes::new())),
        Err(error) => Err(failed(error)),
    }
}

/// A list of strings, of which some may be missing.
pub(super) fn strings(answer: Value) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
    let Value::Array(values) = answer else {
        return Err(nonsense());
    };
    let string = |value| match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil | Value::Boolean(false) => Ok(None),
        _ => Err(nonsense()),
    };
    values.into_iter().map(string).collect()
}

pub(super) fn nonsense() -> StoreError {
    StoreError::new(StoreErrorKind::Protocol, "the server answered what it should not")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_form_is_an_error_and_no_panic() {
        for answer in [
            Value::Nil,
            Value::Int(3),
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(1), Value::Nil]),
            Value::Array(vec![Value::Nil; 3]),
            Value::BulkString(vec![0; 40]),
        ] {
            assert!(records(answer, 1).is_err());
        }
        assert!(records(Value::Array(vec![Value::Nil, Value::Nil]), 1).is_ok());
    }
}
