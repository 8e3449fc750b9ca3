//! HTTP validation by RFC 9110: pure functions over headers, without I/O.
//!
//! An [`EntityTag`] names one state of a representation, strong or weak (§8.8.3), and [`EntityTag::of_body`]
//! makes the strong tag of a body.
//!
//! ```
//! use larder_etag::EntityTag;
//!
//! let tag = EntityTag::of_body(b"Hello");
//! assert!(tag.strong_eq(&EntityTag::of_body(b"Hello")));
//!
//! let weak = tag.weaken();
//! assert!(weak.weak_eq(&tag) && !weak.strong_eq(&tag));
//! assert_eq!(EntityTag::from_header(&weak.to_header()), Ok(weak));
//! ```
//!
//! An [`HttpDate`] is a time in whole seconds, read in three forms and written in one (§5.6.7).
//!
//! ```
//! use larder_etag::HttpDate;
//!
//! let date: HttpDate = "Sunday, 06-Nov-94 08:49:37 GMT".parse()?;
//! assert_eq!(date.unix_seconds(), 784_111_777);
//! assert_eq!(date.to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
//! # Ok::<(), larder_etag::InvalidDate>(())
//! ```
//!
//! A [`TagList`] is the list of tags in a condition, compared where it stands (§13.1.1, §13.1.2).
//!
//! ```
//! use http::header::{HeaderMap, HeaderValue, IF_NONE_MATCH};
//! use larder_etag::TagList;
//!
//! let mut request = HeaderMap::new();
//! request.insert(IF_NONE_MATCH, HeaderValue::from_static(r#""a", W/"b,c""#));
//! let list = TagList::of(&request, &IF_NONE_MATCH).ok_or("no such field")?;
//! assert!(list.any_weak(&r#""b,c""#.parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`evaluate`] compares the conditions of a request with the [`Validators`] of a response, and its
//! [`Precondition`] says whether to go on (§13.2.2); [`not_modified_headers`] are those of a 304 (§15.4.5).
//!
//! ```
//! use http::Method;
//! use http::header::{CONTENT_LENGTH, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
//! use larder_etag::{Precondition, Validators, evaluate, not_modified_headers};
//!
//! let mut response = HeaderMap::new();
//! response.insert(ETAG, HeaderValue::from_static(r#""a""#));
//! response.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
//! let validators = Validators::from_headers(&response);
//!
//! let mut request = HeaderMap::new();
//! assert_eq!(evaluate(&Method::GET, &request, &validators), Precondition::Proceed);
//! request.insert(IF_NONE_MATCH, HeaderValue::from_static(r#"W/"a""#));
//! assert_eq!(evaluate(&Method::GET, &request, &validators), Precondition::NotModified);
//!
//! let headers = not_modified_headers(&response);
//! assert!(headers.contains_key(ETAG) && !headers.contains_key(CONTENT_LENGTH));
//! ```
//!
//! [`evaluate_range`] finds each [`ByteRange`] asked for, a bounded number (§14), and a [`Multipart`] is the
//! body of several (§14.6).
//!
//! ```
//! use bytes::Bytes;
//! use http::Method;
//! use http::header::{HeaderMap, HeaderValue, RANGE};
//! use larder_etag::{Multipart, RangeOutcome, Validators, evaluate_range};
//!
//! let body = Bytes::from_static(b"0123456789");
//! let mut request = HeaderMap::new();
//! request.insert(RANGE, HeaderValue::from_static("bytes=0-1, -2"));
//!
//! let outcome = evaluate_range(&Method::GET, &request, 10, &Validators::default(), None);
//! let RangeOutcome::Partial(ranges) = outcome else { return Err("not partial") };
//! assert_eq!(ranges[1].content_range(10), "bytes 8-9/10");
//! assert_eq!(ranges[1].slice(&body), Some(Bytes::from_static(b"89")));
//! assert!(Multipart::of(&body, &ranges, None).is_some());
//! # Ok::<(), &str>(())
//! ```

mod date;
mod digest;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod list;
mod multipart;
mod not_modified;
mod precondition;
mod range;
mod tag;
mod validators;
mod value;

pub use date::{HttpDate, InvalidDate};
pub use list::TagList;
pub use multipart::Multipart;
pub use not_modified::not_modified_headers;
pub use precondition::{Precondition, evaluate, has_conditions};
pub use range::{ByteRange, MAX_RANGES, RangeOutcome, evaluate_range, unsatisfied_range};
pub use tag::{EntityTag, InvalidTag};
pub use validators::Validators;
