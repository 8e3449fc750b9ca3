//! How the values of a type become bytes, for stores outside the process, and how much memory they take.

use std::fmt;

use larder_store::Encode;

/// How the values of a type become bytes, and what is told of their size.
///
/// No value is written for a store in memory: hits are handed clones of what the function made. A store outside the
/// process keeps the bytes, with a number for the codec, the type and the names and kinds of its fields; what an older
/// release wrote of a type that has changed since is a miss.
pub struct Codec<T> {
    pub(super) schema: fn() -> u64,
    pub(super) encode: Option<Encode>,
    pub(super) decode: fn(&[u8]) -> Option<T>,
    pub(super) size: fn(&T) -> usize,
}

impl<T> Codec<T> {
    /// No bytes at all: the values stay in this process, and a store outside it keeps none.
    ///
    /// `size` says about how many bytes a value takes, with all that it owns. The bound of a store in memory is held by
    /// what it says.
    #[must_use]
    pub const fn in_process(size: fn(&T) -> usize) -> Self {
        Self {
            schema: || 0,
            encode: None,
            decode: |_| None,
            size,
        }
    }
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec")
            .field("leaves_the_process", &self.encode.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "serde")]
mod serde_codecs {
    use std::any::Any;
    use std::io;

    use larder_store::AnyValue;
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::Codec;
    use crate::values::shape;

    /// Counts what is written.
    #[derive(Default)]
    struct Length(usize);

    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<T: Serialize + DeserializeOwned + Any> Codec<T> {
        /// JSON: fields are found by their names. The size is that of the text, and of the type itself.
        #[must_use]
        pub fn json() -> Self {
            Self {
                schema: || shape::of::<T>("json", true),
                encode: Some(|value: &AnyValue| {
                    serde_json::to_vec(value.downcast_ref::<T>()?)
                        .ok()
                        .map(Into::into)
                }),
                decode: |bytes| serde_json::from_slice(bytes).ok(),
                size: |value| {
                    let mut length = Length::default();
                    // A value that cannot be written has no size to speak of but its own; it stays here.
                    let _ = serde_json::to_writer(&mut length, value);
                    size_of::<T>() + length.0
                },
            }
        }

        /// [postcard](https://docs.rs/postcard): small and fast, without names. Fields are found by their order, which is
        /// a part of the schema.
        #[must_use]
        pub fn postcard() -> Self {
            Self {
                schema: || shape::of::<T>("postcard", false),
                encode: Some(|value: &AnyValue| {
                    postcard::to_allocvec(value.downcast_ref::<T>()?)
                        .ok()
                        .map(Into::into)
                }),
                decode: |bytes| match postcard::take_from_bytes(bytes) {
                    Ok((value, [])) => Some(value),
                    _ => None,
                },
                size: |value| size_of::<T>() + postcard::experimental::serialized_size(value).unwrap_or(0),
            }
        }
    }
}
