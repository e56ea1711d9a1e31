//! Codes with known values, as enums that keep unknown values.

/// Declares an enum of codes. Every enum has an `Other` variant for unknown values.
macro_rules! codes {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $($(#[$vabout:meta])* $variant:ident = $wire:literal,)+
        }
    ) => {
        $(#[$about])*
        ///
        /// Two codes are equal if their values on the wire are equal. A code that was received as a JSON number is
        /// stored as `Other`, so that it is written back as a number.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = concat!("`", $wire, "`:")] $(#[$vabout])* $variant,)+
            /// A value that this crate does not know, as received.
            Other($crate::Code),
        }

        impl $name {
            /// The known values.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the named variant, even for a known code that was received as a JSON number. Such a code is
            /// stored as `Other`, so that it is written back as a number.
            #[must_use]
            pub fn named(&self) -> Self {
                Self::from(self.as_str())
            }

            /// Returns the wire value.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)+
                    Self::Other(code) => code.as_str(),
                }
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }

        impl Eq for $name {}

        impl ::std::hash::Hash for $name {
            fn hash<H: ::std::hash::Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        impl From<&str> for $name {
            fn from(wire: &str) -> Self {
                $crate::Code::from(wire).into()
            }
        }

        impl From<String> for $name {
            fn from(wire: String) -> Self {
                $crate::Code::from(wire).into()
            }
        }

        impl From<&$name> for $name {
            fn from(code: &$name) -> Self {
                code.clone()
            }
        }

        impl From<$crate::Code> for $name {
            fn from(code: $crate::Code) -> Self {
                match code.as_str() {
                    // A JSON number is stored as `Other`, so that it is written back as a number.
                    _ if code.is_number() => Self::Other(code),
                    $($wire => Self::$variant,)+
                    _ => Self::Other(code),
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    Self::Other(code) => code.serialize(serializer),
                    known => serializer.serialize_str(known.as_str()),
                }
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::Code::deserialize(deserializer).map(Self::from)
            }
        }

        impl $crate::value::FieldType for $name {
            fn read(json: &str) -> Result<Self, $crate::Problem> {
                $crate::Code::read(json).map(Self::from)
            }

            fn is_blank(&self) -> bool {
                self.as_str().is_empty()
            }

            fn check(&self, rules: &[$crate::Rule], report: &mut $crate::validate::Report) {
                report.text(rules, self.as_str());
            }

            #[cfg(feature = "schema")]
            fn schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({ "type": ["string", "number"], "x-known-values": [$($wire),+] })
            }

            #[cfg(feature = "schema")]
            fn example() -> Option<::serde_json::Value> {
                [$($wire),+].first().map(|wire| (*wire).into())
            }
        }
    };
}

pub(crate) use codes;

codes! {
    /// `idType`: the kind of identity document.
    ///
    /// The value for a passport is observed in the provider's published demo. The value for an identity card is
    /// inferred from a card partner's app.
    pub enum IdType {
        /// an identity card (inferred).
        IdentityCard = "1",
        /// a passport.
        Passport = "2",
    }
}

codes! {
    /// `gender`: both values have been observed. The partner documentation describes their meaning.
    pub enum Gender {
        /// the meaning is not public.
        One = "1",
        /// the meaning is not public.
        Two = "2",
    }
}
