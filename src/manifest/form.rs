//! Pure. Long and short forms of one value (`agent: claude` and `agent: {kind: claude}`), read strictly: a map only
//! where a map is meant, a word only where a word is. Short forms are expanded here, before anything is merged.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

/// A map with the short forms that may stand in its place.
pub trait Short: Sized {
    /// The schemas of the short forms.
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        Vec::new()
    }

    /// Expands text.
    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Str(text), &"a map"))
    }

    /// Expands `true` or `false`.
    fn from_switch<E: Error>(switch: bool) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Bool(switch), &"a map"))
    }
}

/// A value written as a map or in one of its short forms.
#[derive(Clone, Debug, PartialEq)]
pub struct Form<T>(pub T);

impl<T> Deref for Form<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

struct FormVisitor<T>(PhantomData<T>);

impl<'de, T: Short + Deserialize<'de>> Visitor<'de> for FormVisitor<T> {
    type Value = Form<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Form<T>, E> {
        T::from_text(text).map(Form)
    }

    fn visit_bool<E: Error>(self, switch: bool) -> Result<Form<T>, E> {
        T::from_switch(switch).map(Form)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Form<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Form)
    }
}

impl<'de, T: Short + Deserialize<'de>> Deserialize<'de> for Form<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FormVisitor(PhantomData))
    }
}

impl<T: Short + JsonSchema> JsonSchema for Form<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}Form", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut forms = T::schemas(generator);
        let map = generator.subschema_for::<T>();
        if forms.is_empty() {
            return map;
        }
        forms.push(map);
        json_schema!({ "anyOf": forms })
    }
}

/// One of the words of an enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        word_from(&word).map(Word)
    }
}

/// Reads a word of an enum.
pub fn word_from<'de, T: Deserialize<'de>, E: Error>(word: &str) -> Result<T, E> {
    T::deserialize(StrDeserializer::new(word))
}

impl<T: JsonSchema> JsonSchema for Word<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
