//! What can be a part of a key: values whose bytes tell them apart.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::key::{KeyBuffer, KeyWriter};

/// A value that can be a part of a key.
///
/// What an implementation owes: **two values that differ write different bytes**, and no value's bytes are the beginning
/// of another's. Whoever writes a fixed number of [parts](KeyWriter::part), or first says how many follow, owes nothing
/// more. For your own types derive it (`#[derive(larder::KeyPart)]`), which holds to this.
///
/// Texts, numbers, `bool`, `char`, tuples, options, slices, ordered maps and sets, addresses and durations have it, and
/// so have references and boxes of them. Maps and sets without an order have not: equal ones would write different bytes.
///
/// ```
/// use larder_store::{KeyPart, KeyWriter};
///
/// fn key(value: &impl KeyPart) -> Vec<u8> {
///     let mut bytes = Vec::new();
///     value.write_to(&mut KeyWriter::new(&mut bytes));
///     bytes
/// }
/// assert_ne!(key(&("ab", "c")), key(&("a", "bc")));
/// assert_ne!(key(&None::<u8>), key(&Some(0u8)));
/// assert_eq!(key(&"jam"), key(&String::from("jam")));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a part of a cache key",
    label = "which of its values are equal is not known",
    note = "derive it for a type of yours: `#[derive(larder::KeyPart)]`",
    note = "or say in `#[cached]` what the key is: `key = \"user:{{id}}\"` takes whatever has `Display`",
    note = "or leave the argument out of the key, if the result does not depend on it: `skip(pool)`"
)]
pub trait KeyPart {
    /// Writes the value.
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>);
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl KeyPart for $type {
            #[inline]
            fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
                key.part(&self.to_le_bytes());
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

/// Written as another value that says the same.
macro_rules! written_as {
    ($($type:ty: |$value:ident| $as:expr),* $(,)?) => {$(
        impl KeyPart for $type {
            #[inline]
            fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
                let $value = self;
                $as.write_to(key);
            }
        }
    )*};
}

written_as! {
    // As wide on every machine.
    usize: |value| (*value as u64),
    isize: |value| (*value as i64),
    f32: |value| value.to_bits(),
    f64: |value| value.to_bits(),
    bool: |value| u8::from(*value),
    char: |value| u32::from(*value),
    String: |value| value.as_str(),
    NonZeroU32: |value| value.get(),
    NonZeroU64: |value| value.get(),
    NonZeroUsize: |value| value.get(),
    Duration: |value| value.as_nanos(),
    Ipv4Addr: |value| u32::from(*value),
    Ipv6Addr: |value| u128::from(*value),
}

impl KeyPart for str {
    #[inline]
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        key.part(self.as_bytes());
    }
}

impl KeyPart for IpAddr {
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        // Four bytes or sixteen.
        match self {
            Self::V4(address) => address.write_to(key),
            Self::V6(address) => address.write_to(key),
        }
    }
}

impl KeyPart for SocketAddr {
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        (self.ip(), self.port()).write_to(key);
        if let Self::V6(address) = self {
            (address.flowinfo(), address.scope_id()).write_to(key);
        }
    }
}

macro_rules! references {
    ($($type:ty),*) => {$(
        impl<T: KeyPart + ?Sized> KeyPart for $type {
            #[inline]
            fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
                (**self).write_to(key);
            }
        }
    )*};
}

references!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

impl<T: KeyPart + ToOwned + ?Sized> KeyPart for Cow<'_, T> {
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        (**self).write_to(key);
    }
}

impl<T: KeyPart> KeyPart for Option<T> {
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        match self {
            None => key.absent(),
            Some(value) => {
                key.part(b"");
                value.write_to(key);
            }
        }
    }
}

impl<T: KeyPart> KeyPart for [T] {
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        self.len().write_to(key);
        self.iter().for_each(|item| item.write_to(key));
    }
}

impl<T: KeyPart, const N: usize> KeyPart for [T; N] {
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        self.as_slice().write_to(key);
    }
}

impl<T: KeyPart> KeyPart for Vec<T> {
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        self.as_slice().write_to(key);
    }
}

impl<T: KeyPart> KeyPart for BTreeSet<T> {
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        self.len().write_to(key);
        self.iter().for_each(|item| item.write_to(key));
    }
}

impl<K: KeyPart, V: KeyPart> KeyPart for BTreeMap<K, V> {
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        self.len().write_to(key);
        self.iter().for_each(|item| item.write_to(key));
    }
}

impl<T: ?Sized> KeyPart for PhantomData<T> {
    fn write_to<W: KeyBuffer>(&self, _: &mut KeyWriter<'_, W>) {}
}

macro_rules! tuples {
    ($($($name:ident)*;)*) => {$(
        impl<$($name: KeyPart),*> KeyPart for ($($name,)*) {
            #[inline]
            #[allow(non_snake_case, unused_variables, reason = "the names are those of the types, and `()` has none")]
            fn write_to<Buffer: KeyBuffer>(&self, key: &mut KeyWriter<'_, Buffer>) {
                let ($($name,)*) = self;
                $($name.write_to(key);)*
            }
        }
    )*};
}

tuples! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(value: &impl KeyPart) -> Vec<u8> {
        let mut bytes = Vec::new();
        value.write_to(&mut KeyWriter::new(&mut bytes));
        bytes
    }

    type Arguments = (
        Vec<String>,
        Option<Option<u8>>,
        String,
        (BTreeMap<u8, Vec<u8>>, [Option<bool>; 2]),
        Box<[Vec<u16>]>,
    );

    fn arguments() -> impl Strategy<Value = Arguments> {
        // Few letters and small numbers, so that many of them come near each other.
        let text = || "[\\x00\\x01\\xff:ab]{0,3}";
        let small = || proptest::collection::vec(0..3u16, 0..3);
        (
            proptest::collection::vec(text(), 0..3),
            proptest::option::of(proptest::option::of(0..2u8)),
            text(),
            (
                proptest::collection::btree_map(0..2u8, proptest::collection::vec(0..2u8, 0..3), 0..2),
                proptest::array::uniform2(proptest::option::of(any::<bool>())),
            ),
            proptest::collection::vec(small(), 0..3).prop_map(Into::into),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn different_arguments_never_share_a_key(a in arguments(), b in arguments()) {
            prop_assert_eq!(a == b, key(&a) == key(&b));
        }

        #[test]
        fn no_key_is_the_beginning_of_another(a in arguments(), b in arguments()) {
            prop_assert!(a == b || !key(&a).starts_with(&key(&b)));
        }
    }

    #[test]
    fn kinds_that_look_alike_are_told_apart() {
        assert_ne!(key(&Some(None::<u8>)), key(&None::<Option<u8>>));
        assert_ne!(key(&[Vec::<u8>::new(), vec![]]), key(&[Vec::<u8>::new()]));
        assert_ne!(key(&(1u8, 2u8)), key(&0x0201_u16));
        let v6: SocketAddr = "[::1]:80".parse().unwrap();
        let v4: SocketAddr = "0.0.0.1:80".parse().unwrap();
        assert_ne!(key(&v6), key(&v4));
    }
}
