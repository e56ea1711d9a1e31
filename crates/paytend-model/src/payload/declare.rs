//! The `payload!` macro.
//!
//! A serde derive cannot keep the digits of numbers in unknown fields, so this macro keeps the JSON text of unknown
//! fields.

/// Declares a payload: a struct, its builder, lossless reading and writing, `validate`, a
/// [`Description`](crate::Description), a JSON Schema, and a `Debug` implementation that hides personal data. If at
/// most one field is required, the macro also declares `new`.
///
/// ```text
/// payload! {
///     /// The description of the payload.
///     pub struct Topup: Observed {
///         required {
///             /// The description of the field.
///             amount: Amount => "amount" = "10.10" [Positive],
///         }
///         optional {
///             /// The description of the field.
///             note: Personal => "note" = "thanks" [MaxChars(64)] Inferred,
///         }
///     }
///     check |this: &Self, report: &mut Report| {
///         report.require("note", this.amount.is_positive(), Rule::NotEmpty);
///     };
/// }
/// ```
///
/// `#[doc(alias = "…")]` before the struct sets an operation's name on the wire. The type's name is followed by the
/// source of its fields. A field's wire name is followed by three optional parts: an example, the rules, and the
/// source. The example is a JSON value. The rules are variants of [`Rule`](crate::Rule). A field's source is specified
/// only if it differs from the type's source.
macro_rules! payload {
    // Adds an empty `required` or `optional` block if the declaration omits the block.
    ($(#[doc = $about:literal])* $(#[doc(alias = $alias:literal)])?
    pub struct $name:ident: $source:ident {} $($check:tt)*) => {
        payload! {
            $(#[doc = $about])*
            $(#[doc(alias = $alias)])?
            pub struct $name: $source { required {} optional {} } $($check)*
        }
    };
    ($(#[doc = $about:literal])* $(#[doc(alias = $alias:literal)])?
    pub struct $name:ident: $source:ident {
        required { $($required:tt)* }
    } $($check:tt)*) => {
        payload! {
            $(#[doc = $about])*
            $(#[doc(alias = $alias)])?
            pub struct $name: $source { required { $($required)* } optional {} } $($check)*
        }
    };
    ($(#[doc = $about:literal])* $(#[doc(alias = $alias:literal)])?
    pub struct $name:ident: $source:ident {
        optional { $($optional:tt)* }
    } $($check:tt)*) => {
        payload! {
            $(#[doc = $about])*
            $(#[doc(alias = $alias)])?
            pub struct $name: $source { required {} optional { $($optional)* } } $($check)*
        }
    };
    (
        $(#[doc = $about:literal])*
        $(#[doc(alias = $alias:literal)])?
        pub struct $name:ident: $source:ident {
            required { $(
                $(#[doc = $rabout:literal])*
                $required:ident: $rtype:ty => $rwire:literal
                    $(= $rexample:tt)? $([$($rrule:expr),*])? $($rsource:ident)?,
            )* }
            optional { $(
                $(#[doc = $oabout:literal])*
                $optional:ident: $otype:ty => $owire:literal
                    $(= $oexample:tt)? $([$($orule:expr),*])? $($osource:ident)?,
            )* }
        }
        $(check $check:expr;)?
    ) => {
        $(#[doc = $about])*
        $(#[doc = concat!("\n\nName on the wire: `", $alias, "`.")] #[doc(alias = $alias)])?
        #[doc = concat!("\n\nFields: ", payload!(@source_text $source), ", unless stated otherwise.")]
        #[derive(Clone, PartialEq, Eq, ::bon::Builder)]
        // Setters convert their argument with `into`, except for payload types and `Amount`. An `Amount` must be parsed
        // first.
        #[builder(on(Base64Text, into), on(BeneficiaryType, into), on(CardId, into), on(Code, into), on(Count, into),
            on(CountryCode, into), on(Currency, into), on(Date, into), on(Direction, into), on(FileContent, into),
            on(Gender, into), on(HashedText, into), on(HolderId, into), on(IdType, into), on(NetworkCode, into),
            on(NotificationCode, into), on(NotifyType, into), on(OrderNo, into), on(PartnerId, into),
            on(Personal, into), on(String, into), on(TradeStatus, into), on(TradeType, into),
            on(TransactionId, into), on(TransferStatus, into), on(UserId, into), derive(Debug))]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[doc = $rabout])*
                $(#[doc = concat!("\n\nSource: ", payload!(@source_text $rsource), ".")])?
                pub $required: $rtype,
            )*
            $(
                $(#[doc = $oabout])*
                $(#[doc = concat!("\n\nSource: ", payload!(@source_text $osource), ".")])?
                pub $optional: Option<$otype>,
            )*
            /// Unknown fields, and known fields that could not be read (see `problems`).
            #[builder(default)]
            pub extra: $crate::Extra,
            /// The problems with the fields that could not be read, in this object and in nested objects. These fields
            /// are `None`. Not serialized.
            #[builder(skip)]
            pub problems: Vec<$crate::Problem>,
        }

        payload!(@new $name $($required: $rtype),*);

        impl $crate::Payload for $name {
            const NAME: &'static str = stringify!($name);
            const MODULE: &'static str = module_path!();
            const ABOUT: &'static str = concat!($($about, "\n"),*);
            const SOURCE: $crate::Source = $crate::Source::$source;
            const FIELDS: &'static [$crate::Field] = &[
                $($crate::Field {
                    name: $rwire,
                    required: true,
                    source: payload!(@source $source $($rsource)?),
                    type_name: stringify!($rtype),
                    fields: <$rtype as $crate::value::FieldType>::NESTED,
                    rules: payload!(@rules $($($rrule),*)?),
                    about: concat!($($rabout, "\n"),*),
                },)*
                $($crate::Field {
                    name: $owire,
                    required: false,
                    source: payload!(@source $source $($osource)?),
                    type_name: stringify!($otype),
                    fields: <$otype as $crate::value::FieldType>::NESTED,
                    rules: payload!(@rules $($($orule),*)?),
                    about: concat!($($oabout, "\n"),*),
                },)*
            ];

            fn read_lenient(content: &[u8]) -> Result<Self, $crate::Problem> {
                Self::read_members($crate::payload::Members::read_lenient(content)?)
            }

            fn problems(&self) -> &[$crate::Problem] {
                &self.problems
            }
        }

        impl $crate::Validate for $name {
            fn check(&self, report: &mut $crate::Report) {
                #[allow(unused_imports)]
                use $crate::Rule::*;
                report.object(<Self as $crate::Payload>::FIELDS, |report| {
                    $(report.within($rwire, |report| {
                        $crate::value::FieldType::check(&self.$required, &[$($($rrule),*)?], report);
                    });)*
                    $(if let Some(value) = &self.$optional {
                        report.within($owire, |report| {
                            $crate::value::FieldType::check(value, &[$($($orule),*)?], report);
                        });
                    })*
                    $crate::payload::check_unread(&self.extra, <Self as $crate::Payload>::FIELDS, report);
                    $(($check)(self, report);)?
                });
            }
        }

        impl $crate::value::FieldType for $name {
            const NESTED: &'static [$crate::Field] = <Self as $crate::Payload>::FIELDS;

            fn read(json: &str) -> Result<Self, $crate::Problem> {
                Self::read_members($crate::payload::Members::read(json)?)
            }

            fn read_lenient(json: &[u8]) -> Result<Self, $crate::Problem> {
                Self::read_members($crate::payload::Members::read_lenient(json)?)
            }

            fn problems(&self) -> Vec<$crate::Problem> {
                self.problems.clone()
            }

            fn check(&self, _: &[$crate::Rule], report: &mut $crate::Report) {
                $crate::Validate::check(self, report);
            }

            #[cfg(feature = "schema")]
            fn schema(generator: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                generator.subschema_for::<Self>()
            }

            #[cfg(feature = "schema")]
            fn example() -> Option<::serde_json::Value> {
                #[allow(unused_mut)]
                let mut object = ::serde_json::Map::new();
                $($crate::schema::example::<$rtype>(&mut object, $rwire, payload!(@example $($rexample)?));)*
                $($crate::schema::example::<$otype>(&mut object, $owire, payload!(@example $($oexample)?));)*
                Some(object.into())
            }
        }

        impl $name {
            #[allow(unused_mut)]
            fn read_members(mut members: $crate::payload::Members) -> Result<Self, $crate::Problem> {
                $(let $required = members.required($rwire, payload!(@source $source $($rsource)?))?;)*
                $(let $optional = members.optional($owire, payload!(@source $source $($osource)?))?;)*
                let (extra, problems) = members.rest();
                Ok(Self { $($required,)* $($optional,)* extra, problems })
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                let mut shown = f.debug_struct(stringify!($name));
                $(shown.field(stringify!($required), &self.$required);)*
                $(if let Some(value) = &self.$optional { shown.field(stringify!($optional), value); })*
                if !self.extra.is_empty() { shown.field("extra", &self.extra); }
                if !self.problems.is_empty() { shown.field("problems", &self.problems); }
                shown.finish()
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                $(if !$crate::payload::is_unread(&self.$required, &self.problems, $rwire) {
                    map.serialize_entry($rwire, &self.$required)?;
                })*
                $(if let Some(value) = &self.$optional { map.serialize_entry($owire, value)?; })*
                for (name, json) in &self.extra.0 {
                    // `extra` can contain a known field, usually because its value could not be read. If the program
                    // has set the field since, only the new value is written.
                    let replaced = match name.as_str() {
                        $($rwire => !$crate::payload::is_unread(&self.$required, &self.problems, $rwire),)*
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
                let members = $crate::payload::Members::deserialize(deserializer)?;
                Self::read_members(members).map_err(::serde::de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl ::schemars::JsonSchema for $name {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                $crate::schema::name(module_path!(), stringify!($name)).into()
            }

            fn json_schema(generator: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                let _ = &generator;
                let fields = ::std::vec![
                    $((<$rtype as $crate::value::FieldType>::schema(generator), payload!(@example $($rexample)?)),)*
                    $((<$otype as $crate::value::FieldType>::schema(generator), payload!(@example $($oexample)?)),)*
                ];
                $crate::schema::object::<Self>(fields)
            }
        }
    };

    (@new $name:ident) => {
        impl $name {
            /// Creates the payload with all fields unset.
            pub fn new() -> Self {
                Self::builder().build()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
    (@new $name:ident $required:ident: $type:ty) => {
        impl $name {
            /// Creates the payload with its required field. The optional fields are `None`.
            pub fn new($required: impl Into<$type>) -> Self {
                Self::builder().$required($required).build()
            }
        }
    };
    (@new $name:ident $($required:ident: $type:ty),+) => {};
    (@rules $($rule:expr),*) => {{
        #[allow(unused_imports)]
        use $crate::Rule::*;
        &[$($rule),*]
    }};
    (@source $default:ident) => { $crate::Source::$default };
    (@source $default:ident $source:ident) => { $crate::Source::$source };
    (@source_text Documented) => { "documented" };
    (@source_text Observed) => { "observed in the provider's published programs" };
    (@source_text Inferred) => { "inferred, and may be wrong" };
    (@example) => { None };
    (@example $example:tt) => { Some(::serde_json::json!($example)) };
}
