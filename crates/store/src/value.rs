//! A value as it is kept: as it is in this process, and as bytes outside it.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

/// A value of any type of a program, that its cache can share and hand out again.
pub type AnyValue = dyn Any + Send + Sync;

/// Writes a value as bytes; `None` if it is of another type, or cannot be written.
pub type Encode = fn(&AnyValue) -> Option<Bytes>;

/// A value as it is kept under a key.
///
/// In the process that made it the value is kept as it is: nothing is serialised for a store in memory, and all hits
/// share it. Only a store outside the process asks for its bytes. What such a store finds is bytes, which become a value
/// once, when they are first [`read`](Self::read).
///
/// The schema says what the bytes are: a number for the type, its fields and the codec. Bytes of another schema, say of
/// another release, are not read.
///
/// ```
/// use std::sync::Arc;
/// use larder_store::{StoredValue, Unread};
///
/// let value = StoredValue::live(Arc::new(7_u32), 1, 4, None);
/// assert_eq!(value.live_as::<u32>(), Some(&7));
///
/// let value = StoredValue::of_bytes(1, "7".into());
/// let read = |schema| value.read(schema, |bytes| std::str::from_utf8(bytes).ok()?.parse::<u32>().ok());
/// assert_eq!(read(2), Err(Unread::Schema));
/// assert_eq!(read(1), Ok(&7));
/// ```
pub struct StoredValue {
    schema: u64,
    form: Form,
}

enum Form {
    Live {
        value: Arc<AnyValue>,
        size: usize,
        encode: Option<Encode>,
    },
    Bytes {
        bytes: Bytes,
        /// What they were read as, once they were.
        read: OnceLock<Arc<AnyValue>>,
    },
}

/// Why a kept value cannot be read as what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unread {
    /// It is of another type, or of another release's.
    Schema,
    /// Its bytes are not what its schema says.
    Decode,
}

impl StoredValue {
    /// A value of this process. `size` is about how many bytes of memory it takes; without `encode` no store outside the
    /// process can keep it.
    #[must_use]
    pub fn live(value: Arc<AnyValue>, schema: u64, size: usize, encode: Option<Encode>) -> Self {
        let form = Form::Live { value, size, encode };
        Self { schema, form }
    }

    /// A value as it came from outside the process.
    #[must_use]
    pub const fn of_bytes(schema: u64, bytes: Bytes) -> Self {
        let read = OnceLock::new();
        Self {
            schema,
            form: Form::Bytes { bytes, read },
        }
    }

    /// What its bytes are.
    #[must_use]
    pub const fn schema(&self) -> u64 {
        self.schema
    }

    /// About how many bytes it takes, here or outside.
    #[must_use]
    pub const fn size(&self) -> usize {
        match &self.form {
            Form::Live { size, .. } => *size,
            Form::Bytes { bytes, .. } => bytes.len(),
        }
    }

    /// Its bytes, for a store outside the process; `None` where it has no such form.
    #[must_use]
    pub fn encoded(&self) -> Option<Bytes> {
        match &self.form {
            Form::Live { value, encode, .. } => (*encode)?(&**value),
            Form::Bytes { bytes, .. } => Some(bytes.clone()),
        }
    }

    /// The value, if it is here as a `T` already: it was made here, or was read before.
    #[must_use]
    #[inline]
    pub fn live_as<T: Any>(&self) -> Option<&T> {
        match &self.form {
            Form::Live { value, .. } => value.downcast_ref(),
            Form::Bytes { read, .. } => read.get()?.downcast_ref(),
        }
    }

    /// The value as a `T`: as it is here, or by `decode` of its bytes, if they are of this `schema`.
    ///
    /// # Errors
    /// [`Unread`] says why it is none.
    pub fn read<T: Any + Send + Sync>(
        &self,
        schema: u64,
        decode: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<&T, Unread> {
        match &self.form {
            Form::Live { value, .. } => value.downcast_ref().ok_or(Unread::Schema),
            Form::Bytes { .. } if self.schema != schema => Err(Unread::Schema),
            Form::Bytes { bytes, read } => {
                if read.get().is_none() {
                    let value = decode(bytes).ok_or(Unread::Decode)?;
                    // Another reader may have been first, and its value is as good.
                    let _ = read.set(Arc::new(value));
                }
                self.live_as().ok_or(Unread::Schema)
            }
        }
    }

    /// What it takes beside its size: what shares it, and what its bytes may become once they are read.
    pub(crate) fn overhead(&self) -> usize {
        const SHARED: usize = 64;
        match &self.form {
            Form::Live { .. } => SHARED,
            Form::Bytes { bytes, .. } => SHARED + bytes.len(),
        }
    }
}

impl fmt::Debug for StoredValue {
    /// What it is, never what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredValue")
            .field("schema", &self.schema)
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &AnyValue) -> Option<Bytes> {
        Some(value.downcast_ref::<String>()?.clone().into())
    }

    #[test]
    fn a_live_value_is_what_it_was_made_as_and_nothing_else() {
        let value = StoredValue::live(Arc::new("jam".to_owned()), 7, 3, Some(text));
        assert_eq!(value.live_as::<String>().map(String::as_str), Some("jam"));
        assert_eq!(value.live_as::<u8>(), None);
        assert_eq!(value.read::<u8>(7, |_| Some(1)), Err(Unread::Schema));
        assert_eq!(value.encoded().as_deref(), Some(&b"jam"[..]));
        assert_eq!(
            StoredValue::live(Arc::new(1_u8), 7, 1, Some(text)).encoded(),
            None
        );
        assert_eq!(StoredValue::live(Arc::new(1_u8), 7, 1, None).encoded(), None);
    }

    #[test]
    fn bytes_become_a_value_once() {
        let value = StoredValue::of_bytes(7, Bytes::from_static(b"jam"));
        assert_eq!(value.live_as::<usize>(), None);
        assert_eq!(value.read::<usize>(7, |_| None), Err(Unread::Decode));
        assert_eq!(value.read(7, |bytes| Some(bytes.len())), Ok(&3));
        assert_eq!(value.read::<usize>(7, |_| panic!("read twice")), Ok(&3));
        assert_eq!(value.live_as::<usize>(), Some(&3));
    }
}
