//! The shape of a type as serde reads it: its names, kinds and variants, as one number.
//!
//! The type is read from a source that has something of every kind and notes what was asked for. Where it asks for more
//! than can be made up (an identifier that must parse, say) the shape ends there: the fields of every struct are noted
//! before the first of them is read.

use std::collections::HashMap;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use xxhash_rust::xxh3::Xxh3;

/// The number for `T` as `codec` writes it.
pub(super) fn of<T: DeserializeOwned>(codec: &'static str, readable: bool) -> u64 {
    let mut notes = Notes {
        hasher: Xxh3::new(),
        readable,
        depth: 0,
        fuel: FUEL,
        variants: HashMap::new(),
    };
    notes.note(codec);
    notes.note(std::any::type_name::<T>());
    // Once more for each variant that was not looked into yet.
    for _ in 0..PASSES {
        let _ = T::deserialize(Source(&mut notes));
        let unseen = notes.variants.values().any(|(next, all)| next < all);
        if !unseen || notes.fuel == 0 {
            break;
        }
    }
    notes.hasher.digest()
}

/// How often a type is read, how deep, and how much of it: a type may hold itself.
const PASSES: usize = 64;
const DEPTH: usize = 12;
const FUEL: usize = 4096;

struct Notes {
    hasher: Xxh3,
    readable: bool,
    depth: usize,
    fuel: usize,
    /// By the name of an enum: the variant that is looked into next, and how many there are.
    variants: HashMap<&'static str, (usize, usize)>,
}

impl Notes {
    fn note(&mut self, what: &str) {
        self.hasher.update(&(what.len() as u64).to_le_bytes());
        self.hasher.update(what.as_bytes());
    }
}

/// Has something of every kind, and notes what it is asked for.
struct Source<'a>(&'a mut Notes);

/// The end of a shape.
#[derive(Debug)]
struct End;

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shape ends here")
    }
}

impl std::error::Error for End {}

impl de::Error for End {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'a> Source<'a> {
    /// Goes one level down, as far as it goes.
    fn inside<R>(self, what: &str, read: impl FnOnce(&mut Notes) -> Result<R, End>) -> Result<R, End> {
        self.0.note(what);
        self.0.fuel = self.0.fuel.saturating_sub(1);
        if self.0.depth == DEPTH || self.0.fuel == 0 {
            return Err(End);
        }
        self.0.depth += 1;
        let result = read(self.0);
        self.0.depth -= 1;
        result
    }
}

/// Kinds without anything inside.
macro_rules! leaves {
    ($($method:ident $visit:ident $($value:expr)?;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
            self.inside(stringify!($method), |_| visitor.$visit($($value)?))
        }
    )*};
}

impl<'de> Deserializer<'de> for Source<'_> {
    type Error = End;

    leaves! {
        deserialize_any visit_unit;
        deserialize_ignored_any visit_unit;
        deserialize_unit visit_unit;
        deserialize_bool visit_bool false;
        // One, which those types take too that have no zero.
        deserialize_i8 visit_i8 1;
        deserialize_i16 visit_i16 1;
        deserialize_i32 visit_i32 1;
        deserialize_i64 visit_i64 1;
        deserialize_i128 visit_i128 1;
        deserialize_u8 visit_u8 1;
        deserialize_u16 visit_u16 1;
        deserialize_u32 visit_u32 1;
        deserialize_u64 visit_u64 1;
        deserialize_u128 visit_u128 1;
        deserialize_f32 visit_f32 1.0;
        deserialize_f64 visit_f64 1.0;
        deserialize_char visit_char 'a';
        deserialize_str visit_str "";
        deserialize_string visit_str "";
        deserialize_identifier visit_str "";
        deserialize_bytes visit_bytes b"";
        deserialize_byte_buf visit_bytes b"";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        // Where a type holds itself, it does so in an option, a list or a box of one: here it ends well.
        if self.0.depth + 1 >= DEPTH {
            return visitor.visit_none();
        }
        self.inside("option", |notes| visitor.visit_some(Source(notes)))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, End> {
        self.inside(name, |_| visitor.visit_unit())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, End> {
        self.inside(name, |notes| visitor.visit_newtype_struct(Source(notes)))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        let left = usize::from(self.0.depth + 2 < DEPTH);
        self.inside("seq", |notes| visitor.visit_seq(Items { notes, left }))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, End> {
        self.inside("tuple", |notes| {
            notes.note(&left.to_string());
            visitor.visit_seq(Items { notes, left })
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, End> {
        self.inside(name, |notes| Source(notes).deserialize_tuple(left, visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        let left = usize::from(self.0.depth + 2 < DEPTH);
        self.inside("map", |notes| visitor.visit_map(Items { notes, left }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, End> {
        self.inside(name, |notes| {
            fields.iter().for_each(|field| notes.note(field));
            visitor.visit_map(Fields { notes, fields })
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, End> {
        self.inside(name, |notes| {
            variants.iter().for_each(|variant| notes.note(variant));
            let (next, _) = notes.variants.entry(name).or_insert((0, variants.len()));
            // When all were seen: the last, which ends where types hold themselves by the first.
            let chosen = (*next).min(variants.len().saturating_sub(1));
            *next += 1;
            let variant = variants.get(chosen).copied().ok_or(End)?;
            visitor.visit_enum(Variant { notes, variant })
        })
    }

    fn is_human_readable(&self) -> bool {
        self.0.readable
    }
}

/// So many items.
struct Items<'a> {
    notes: &'a mut Notes,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = End;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, End> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Source(self.notes)).map(Some)
    }
}

impl<'de> de::MapAccess<'de> for Items<'_> {
    type Error = End;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, End> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, End> {
        seed.deserialize(Source(self.notes))
    }
}

/// The fields of a struct, by their names.
struct Fields<'a> {
    notes: &'a mut Notes,
    fields: &'static [&'static str],
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = End;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, End> {
        let Some((field, rest)) = self.fields.split_first() else {
            return Ok(None);
        };
        self.fields = rest;
        seed.deserialize(StrDeserializer::<End>::new(field)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, End> {
        seed.deserialize(Source(self.notes))
    }
}

/// One variant of an enum.
struct Variant<'a> {
    notes: &'a mut Notes,
    variant: &'static str,
}

impl<'de, 'a> de::EnumAccess<'de> for Variant<'a> {
    type Error = End;
    type Variant = Source<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Source<'a>), End> {
        let name: StrDeserializer<'_, End> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, Source(self.notes)))
    }
}

impl<'de> de::VariantAccess<'de> for Source<'_> {
    type Error = End;

    fn unit_variant(self) -> Result<(), End> {
        self.0.note("unit variant");
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, End> {
        self.0.note("newtype variant");
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, End> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, End> {
        self.deserialize_struct("struct variant", fields, visitor)
    }
}

#[cfg(test)]
#[allow(dead_code, reason = "the types are there for their shapes alone")]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    /// The shape of a type whatever its path is: two releases of a type have one name.
    fn shape<T: DeserializeOwned>() -> u64 {
        // The names of both modules are as long, so the paths of the types alone must not tell them apart.
        of::<Renamed<T>>("json", true)
    }

    /// A type whose name in the program says nothing of `T`.
    struct Renamed<T>(T);

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Renamed<T> {
        fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
            T::deserialize(source).map(Self)
        }
    }

    /// The same shape without the name of the type.
    fn fields<T: DeserializeOwned>() -> u64 {
        let mut notes = Notes {
            hasher: Xxh3::new(),
            readable: true,
            depth: 0,
            fuel: FUEL,
            variants: HashMap::new(),
        };
        for _ in 0..PASSES {
            let _ = T::deserialize(Source(&mut notes));
            if !notes.variants.values().any(|(next, all)| next < all) {
                break;
            }
        }
        notes.hasher.digest()
    }

    mod before {
        #[derive(serde::Deserialize)]
        pub(super) struct Jar {
            pub(super) of: String,
            pub(super) grams: u32,
            pub(super) lid: Option<Lid>,
        }
        #[derive(serde::Deserialize)]
        pub(super) enum Lid {
            Glass,
            Metal { colour: String },
        }
    }

    /// The next release of a jar, with one thing changed.
    macro_rules! next {
        ($name:ident { $($jar:tt)* } { $($lid:tt)* }) => {
            mod $name {
                #[derive(serde::Deserialize)]
                pub(super) struct Jar { $($jar)* }
                #[derive(serde::Deserialize)]
                pub(super) enum Lid { $($lid)* }
            }
        };
    }
    next!(same { of: String, grams: u32, lid: Option<Lid> } { Glass, Metal { colour: String } });
    next!(renamed { from: String, grams: u32, lid: Option<Lid> } { Glass, Metal { colour: String } });
    next!(added { of: String, grams: u32, lid: Option<Lid>, sugar: bool } { Glass, Metal { colour: String } });
    next!(reordered { grams: u32, of: String, lid: Option<Lid> } { Glass, Metal { colour: String } });
    next!(wider { of: String, grams: u64, lid: Option<Lid> } { Glass, Metal { colour: String } });
    next!(deeper { of: String, grams: u32, lid: Option<Lid> } { Glass, Metal { colour: u32 } });
    next!(variant { of: String, grams: u32, lid: Option<Lid> } { Glass, Metal { colour: String }, Wax });

    #[test]
    fn a_change_of_a_type_changes_its_shape() {
        let old = fields::<before::Jar>();
        assert_eq!(old, fields::<same::Jar>());
        for (what, new) in [
            ("renamed", fields::<renamed::Jar>()),
            ("added", fields::<added::Jar>()),
            ("reordered", fields::<reordered::Jar>()),
            ("wider", fields::<wider::Jar>()),
            ("deeper", fields::<deeper::Jar>()),
            ("variant", fields::<variant::Jar>()),
        ] {
            assert_ne!(old, new, "{what}");
        }
    }

    #[test]
    fn types_and_codecs_are_told_apart() {
        assert_ne!(of::<u32>("json", true), of::<u32>("postcard", true));
        assert_ne!(of::<u32>("json", true), of::<u64>("json", true));
        assert_ne!(shape::<Vec<u8>>(), shape::<Vec<u16>>());
        assert_ne!(shape::<BTreeMap<u8, u8>>(), shape::<BTreeMap<u8, bool>>());
    }

    #[derive(Deserialize)]
    struct Tree {
        left: Option<Box<Tree>>,
        right: Vec<Tree>,
        other: Option<Box<Forest>>,
    }

    #[derive(Deserialize)]
    enum Forest {
        More(Box<Tree>, Box<Forest>),
        End,
    }

    #[test]
    fn a_type_that_holds_itself_has_a_shape() {
        assert_eq!(fields::<Tree>(), fields::<Tree>());
        assert_ne!(fields::<Tree>(), fields::<Forest>());
    }
}
