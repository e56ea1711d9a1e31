//! The macro that declares a payload, and what it needs.
//!
//! Not `#[derive]`, because nothing there keeps the digits of an unknown number: an unknown field is kept as the text it was.

use std::fmt;

use serde_json::value::RawValue;

/// The fields of a payload that its type does not know, in order, each as the JSON text it arrived in.
#[derive(Clone, Default)]
pub struct Extra(pub(crate) Vec<(String, Box<RawValue>)>);

impl Extra {
    /// The JSON text of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, json)| json)
    }

    /// Names and JSON texts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, json)| (name.as_str(), json.get()))
    }

    /// Sets a field to a JSON text, for what the provider's own documents describe and this crate does not know yet.
    ///
    /// # Errors
    /// When the text is not JSON.
    pub fn set(&mut self, name: &str, json: &str) -> Result<(), serde_json::Error> {
        let json: Box<RawValue> = serde_json::from_str(json)?;
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = json,
            None => self.0.push((name.to_owned(), json)),
        }
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} unknown fields", self.0.len())
    }
}

/// What a payload's `Debug` shows instead of a value.
pub(crate) struct Hidden;

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// Declares a payload: a struct with its wire names, `new` with all required fields, (de)serialization that keeps unknown
/// fields and the `null`s of optional ones, and a `Debug` without values.
macro_rules! payload {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            required { $($(#[$rabout:meta])* $required:ident: $rtype:ty => $rwire:literal,)* }
            optional { $($(#[$oabout:meta])* $optional:ident: $otype:ty => $owire:literal,)* }
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$rabout])* pub $required: $rtype,)*
            $($(#[$oabout])* pub $optional: Option<$otype>,)*
            /// Fields that this type does not know.
            pub extra: $crate::Extra,
        }

        impl $name {
            /// With all required fields; the optional ones are empty.
            #[allow(clippy::too_many_arguments, clippy::new_without_default)]
            pub fn new($($required: $rtype),*) -> Self {
                Self { $($required,)* $($optional: None,)* extra: $crate::Extra::default() }
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                let mut shown = f.debug_struct(stringify!($name));
                $(shown.field(stringify!($required), &$crate::payload::Hidden);)*
                $(if self.$optional.is_some() { shown.field(stringify!($optional), &$crate::payload::Hidden); })*
                if !self.extra.is_empty() { shown.field("extra", &self.extra); }
                shown.finish()
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                $(map.serialize_entry($rwire, &self.$required)?;)*
                $(if let Some(value) = &self.$optional { map.serialize_entry($owire, value)?; })*
                for (name, json) in &self.extra.0 {
                    // A known name is there only as the `null` that it arrived as; a value set since takes its place.
                    let replaced = match name.as_str() {
                        $($rwire => true,)*
                        $($owire => self.$optional.is_some(),)*
                        _ => false,
                    };
                    if !replaced { map.serialize_entry(name, json)?; }
                }
                map.end()
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl<'de> ::serde::de::Visitor<'de> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str(concat!("the object ", stringify!($name)))
                    }

                    fn visit_map<A: ::serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        $(let mut $required: Option<$rtype> = None;)*
                        $(let mut $optional: Option<$otype> = None;)*
                        let mut extra = $crate::Extra::default();
                        while let Some(name) = map.next_key::<String>()? {
                            let json: Box<::serde_json::value::RawValue> = map.next_value()?;
                            match name.as_str() {
                                $($rwire => {
                                    let value = ::serde_json::from_str(json.get())
                                        .map_err(|_| <A::Error as ::serde::de::Error>::custom(concat!("field `", $rwire, "` has another type")))?;
                                    if $required.replace(value).is_some() { return Err(<A::Error as ::serde::de::Error>::duplicate_field($rwire)); }
                                })*
                                $($owire if json.get() != "null" => {
                                    let value = ::serde_json::from_str(json.get())
                                        .map_err(|_| <A::Error as ::serde::de::Error>::custom(concat!("field `", $owire, "` has another type")))?;
                                    if $optional.replace(value).is_some() { return Err(<A::Error as ::serde::de::Error>::duplicate_field($owire)); }
                                })*
                                _ => extra.0.push((name, json)),
                            }
                        }
                        Ok($name {
                            $($required: $required.ok_or_else(|| <A::Error as ::serde::de::Error>::missing_field($rwire))?,)*
                            $($optional,)*
                            extra,
                        })
                    }
                }

                deserializer.deserialize_map(Visitor)
            }
        }
    };
}
