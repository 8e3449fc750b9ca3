//! Structured fields (RFC 9651): dictionaries and lists, as far as the fields of caching need them.

use std::convert::Infallible;

use http::{HeaderMap, HeaderName};
use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser};

/// The value of a member; its parameters are not read, since no field that is read here has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Boolean(bool),
    Integer(i64),
    String(String),
    /// An inner list.
    List(Vec<Value>),
    /// A value of any other type.
    Other,
}

/// The members of a dictionary with one of the keys that are `known`, the last of each key; an empty dictionary has no
/// value at all.
///
/// `None` if the field is not there, is empty, or is not valid throughout: then it is ignored as a whole (RFC 9651 §4.2).
pub(crate) fn dictionary(
    headers: &HeaderMap,
    name: &HeaderName,
    known: &'static [&'static str],
) -> Option<Vec<(&'static str, Value)>> {
    let members = Members {
        known,
        found: Vec::new(),
        empty: true,
    };
    let text = joined(headers, name)?;
    let members = Parser::new(&text).parse_dictionary_with_visitor(members).ok()?;
    (!members.empty).then_some(members.found)
}

/// The members of a list.
///
/// `None` if the field is not there, or is not valid throughout: then it is ignored as a whole (RFC 9651 §4.2).
pub(crate) fn list(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<Value>> {
    let text = joined(headers, name)?;
    Parser::new(&text).parse_list_with_visitor(Items(Vec::new())).ok()
}

/// All lines of a field as one (RFC 9651 §4.2).
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let mut lines = headers.get_all(name).iter();
    let mut text = lines.next()?.as_bytes().to_vec();
    for line in lines {
        text.extend_from_slice(b", ");
        text.extend_from_slice(line.as_bytes());
    }
    Some(text)
}

impl From<BareItemFromInput<'_>> for Value {
    fn from(item: BareItemFromInput<'_>) -> Self {
        match item {
            BareItemFromInput::Boolean(value) => Self::Boolean(value),
            BareItemFromInput::Integer(value) => Self::Integer(value.into()),
            BareItemFromInput::String(value) => Self::String(value.as_str().to_owned()),
            _ => Self::Other,
        }
    }
}

/// Collects the members of a dictionary. Those with other keys are checked and not kept, so that a long field costs
/// no more than its reading.
struct Members {
    known: &'static [&'static str],
    found: Vec<(&'static str, Value)>,
    empty: bool,
}

impl<'de> DictionaryVisitor<'de> for Members {
    type Out = Self;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        self.empty = false;
        let Some(key) = self.known.iter().find(|known| **known == key.as_str()) else {
            return Ok(None);
        };
        // The last one counts (RFC 9651 §4.2.2).
        self.found.retain(|(other, _)| other != key);
        self.found.push((key, Value::Other));
        Ok(self.found.last_mut().map(|(_, value)| Place(value)))
    }

    fn finish(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

struct Items(Vec<Value>);

impl<'de> ListVisitor<'de> for Items {
    type Out = Vec<Value>;
    type Error = Infallible;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Infallible> {
        self.0.push(Value::Other);
        Ok(self.0.last_mut().map(Place))
    }

    fn finish(self) -> Result<Self::Out, Infallible> {
        Ok(self.0)
    }
}

/// Where the value of a member goes.
struct Place<'v>(&'v mut Value);

impl<'de> EntryVisitor<'de> for Place<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        *self.0 = Value::List(Vec::new());
        Ok(match self.0 {
            Value::List(items) => Some(InnerItems(items)),
            _ => None,
        })
    }
}

impl<'de> ItemVisitor<'de> for Place<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        *self.0 = item.into();
        Ok(Ignored)
    }
}

struct InnerItems<'v>(&'v mut Vec<Value>);

impl<'de> InnerListVisitor<'de> for InnerItems<'_> {
    type Error = Infallible;

    fn item(&mut self) -> Result<impl ItemVisitor<'de>, Infallible> {
        self.0.push(Value::Other);
        Ok(self.0.last_mut().map(Place))
    }

    fn finish(self) -> Result<impl ParameterVisitor<'de>, Infallible> {
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const NAME: HeaderName = HeaderName::from_static("example");

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(NAME, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn members(lines: &[&str]) -> Option<Vec<(&'static str, Value)>> {
        dictionary(&headers(lines), &NAME, &["a", "b"])
    }

    #[test]
    fn values_have_their_types() {
        let text = |text: &str| Value::String(text.into());
        for (value, expected) in [
            ("a", Value::Boolean(true)),
            ("a;x=1", Value::Boolean(true)),
            ("a=?0", Value::Boolean(false)),
            ("a=?1;x", Value::Boolean(true)),
            ("a=-12", Value::Integer(-12)),
            ("a=007;x=y", Value::Integer(7)),
            ("a=1.0", Value::Other),
            ("a=b", Value::Other),
            ("a=:aGk=:", Value::Other),
            ("a=@12", Value::Other),
            ("a=%\"f%c3%bc\"", Value::Other),
            ("a=\"b, \\\"c\\\\\"", text("b, \"c\\")),
            ("a=()", Value::List(vec![])),
            (
                "a=(\"b\" 1;x c);y=2",
                Value::List(vec![text("b"), Value::Integer(1), Value::Other]),
            ),
        ] {
            assert_eq!(members(&[value]), Some(vec![("a", expected)]), "{value}");
        }
    }

    #[test]
    fn the_last_of_a_key_counts_and_others_are_passed_over() {
        assert_eq!(
            members(&["a=1, zz=3", "b=2, a=(1), b"]),
            Some(vec![
                ("a", Value::List(vec![Value::Integer(1)])),
                ("b", Value::Boolean(true))
            ])
        );
        assert_eq!(members(&["zz"]), Some(vec![]));
    }

    #[test]
    fn what_is_not_valid_throughout_is_not_there() {
        for lines in [
            &[][..],
            &[""],
            &["  "],
            &["a=1,"],
            &["a=1, "],
            &["", "a=1"],
            &["a=1", ""],
            &["A=1"],
            &["a=1, aB=2"],
            &["a =1"],
            &["a= 1"],
            &["a="],
            &["a=1, &&"],
            &["a=1; x y"],
            &["a='1'"],
            &["a=1234567890123456"],
            &["a=\"b"],
            &["a=\"b", "c\""],
            &["a=(1"],
            &["a=\"\u{e9}\""],
            &["a=1 b=2"],
        ] {
            // An open string that the next line closes is valid: the lines are one text.
            let expected = (lines == ["a=\"b", "c\""]).then(|| vec![("a", Value::String("b, c".into()))]);
            assert_eq!(members(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn lists_have_their_members_in_order() {
        let read = |lines: &[&str]| list(&headers(lines), &NAME);
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[""]), Some(vec![]));
        assert_eq!(
            read(&["\"a\";x=1, b", "(1 2)"]),
            Some(vec![
                Value::String("a".into()),
                Value::Other,
                Value::List(vec![Value::Integer(1), Value::Integer(2)])
            ])
        );
        for line in ["a,", "a b", "\"a", "&", "a,,b", "\u{e9}"] {
            assert_eq!(read(&[line]), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, text in "[ab=\"(),; ?0-9.\\\\%:@é-]{0,30}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    let mut headers = HeaderMap::new();
                    headers.append(NAME, value.clone());
                    headers.append(NAME, value);
                    let _ = dictionary(&headers, &NAME, &["a", "b"]);
                    let _ = list(&headers, &NAME);
                }
            }
        }

        #[test]
        fn strings_come_back(strings in proptest::collection::vec("[ -~]{0,20}", 1..6)) {
            let quoted: Vec<String> =
                strings.iter().map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))).collect();
            let expected: Vec<Value> = strings.into_iter().map(Value::String).collect();
            prop_assert_eq!(list(&headers(&[&quoted.join(", ")]), &NAME), Some(expected));
        }
    }
}
