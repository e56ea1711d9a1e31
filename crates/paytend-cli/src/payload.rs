//! The data in a request or a notification, as a tree. Values are kept as JSON text, so numbers are not changed.

use std::fmt;

use paytend_model::{Field, Rule};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON value: unparsed JSON text, or an object whose members can be changed.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Text(String),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads an object.
    pub(crate) fn object(text: &str) -> Result<Self, String> {
        let members: Members<'_> = serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))?;
        let member = |(name, value): (String, &RawValue)| (name, Self::Text(value.get().to_owned()));
        Ok(Self::Object(members.0.into_iter().map(member).collect()))
    }

    /// Sets the value at a path such as `eeaAddress.postcode`. Objects on the path are created.
    pub(crate) fn set(&mut self, path: &str, value: Node) -> Result<(), String> {
        if let Self::Text(text) = self {
            *self = Self::object(text).map_err(|_| format!("`{path}` is not inside an object"))?;
        }
        let Self::Object(members) = self else { return Ok(()) };
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        if name.is_empty() {
            return Err("a field name is empty".to_owned());
        }
        let index = match members.iter().position(|(known, _)| known == name) {
            Some(index) => index,
            None => {
                members.push((name.to_owned(), Self::Object(Vec::new())));
                members.len() - 1
            }
        };
        match (rest, members.get_mut(index)) {
            (None, Some((_, member))) => *member = value,
            (Some(rest), Some((_, member))) => member.set(rest, value).map_err(|error| match error.as_str() {
                text if text.contains("is not inside an object") => {
                    format!("`{path}`: `{name}` is not an object; use --data")
                }
                _ => error,
            })?,
            (_, None) => {}
        }
        Ok(())
    }

    /// Returns whether there is a value at a path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// Returns the JSON text of the value at a path.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let parsed = match self {
            Self::Text(text) => Self::object(text).ok(),
            Self::Object(_) => None,
        };
        let Self::Object(members) = parsed.as_ref().unwrap_or(self) else { return None };
        let (_, member) = members.iter().find(|(known, _)| known == name)?;
        rest.map_or_else(|| Some(member.to_string()), |rest| member.get(rest))
    }

    /// Returns the string or number at a path as text.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        let json = self.get(path)?;
        serde_json::from_str::<String>(&json).ok().or(Some(json))
    }
}

/// Writes the value as JSON text.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = match self {
            Self::Text(text) => return f.write_str(text),
            Self::Object(members) => members,
        };
        f.write_str("{")?;
        for (index, (name, value)) in members.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}:{value}", Value::from(name.as_str()))?;
        }
        f.write_str("}")
    }
}

/// Returns the declaration of the field at a path, such as `eeaAddress.postcode`.
pub(crate) fn field_at(fields: &'static [Field], path: &str) -> Option<&'static Field> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let field = fields.iter().find(|field| field.name == name)?;
    rest.map_or(Some(field), |rest| field_at(field.fields, rest))
}

/// Returns a description of a field's type for the user, such as `decimal number`.
pub(crate) fn type_of(field: &Field) -> &'static str {
    match field.type_name {
        _ if field.type_name.starts_with("Vec<") => "list",
        "Amount" => "decimal number",
        _ if field.rules.contains(&Rule::AsNumber) => "number",
        "Json" => "JSON",
        _ if !field.fields.is_empty() => "object",
        _ => "text",
    }
}

/// Converts a value from the command line to JSON. The result is a string unless the field is an object, a list or a
/// number.
pub(crate) fn value(field: Option<&Field>, text: &str) -> Result<Node, String> {
    let is_number = field.is_some_and(|field| field.rules.contains(&Rule::AsNumber));
    let is_json = field.is_some_and(|field| {
        field.type_name == "Json" || field.type_name.starts_with("Vec<") || !field.fields.is_empty()
    });
    if is_number {
        return number(text);
    }
    if !is_json {
        return Ok(Node::Text(Value::from(text).to_string()));
    }
    let value: &RawValue = serde_json::from_str(text.trim()).map_err(|_| "JSON was expected")?;
    Ok(Node::Text(value.get().to_owned()))
}

/// Converts a number to JSON without changing its digits.
pub(crate) fn number(text: &str) -> Result<Node, String> {
    let value = serde_json::from_str::<&RawValue>(text.trim()).ok().map(RawValue::get);
    let value = value.filter(|json| json.starts_with(|c: char| c == '-' || c.is_ascii_digit()));
    value.map(|json| Node::Text(json.to_owned())).ok_or_else(|| "a number was expected".to_owned())
}

/// The members of an object, in their original order. A repeated name is an error.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &'de RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format_args!("the field `{name}` occurs twice")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use paytend_model::operation;

    use super::*;

    #[test]
    fn fields_are_set_and_numbers_keep_their_digits() {
        let mut data = Node::object(r#"{"amount": 25.500, "eeaAddress": {"city": "Vilnius", "more": [1]}}"#).unwrap();
        data.set("eeaAddress.postcode", value(None, "01100").unwrap()).unwrap();
        data.set("orderNo", value(None, "T-\"1\"").unwrap()).unwrap();
        data.set("new.inner.field", value(None, "x").unwrap()).unwrap();
        assert_eq!(
            data.to_string(),
            concat!(
                r#"{"amount":25.500,"eeaAddress":{"city":"Vilnius","more":[1],"postcode":"01100"},"#,
                r#""orderNo":"T-\"1\"","new":{"inner":{"field":"x"}}}"#
            )
        );
        assert!(data.has("new.inner.field") && data.has("eeaAddress.city") && !data.has("eeaAddress.none"));
        assert!(data.set("amount.x", value(None, "1").unwrap()).unwrap_err().contains("`amount` is not an object"));
        assert!(data.set("a..b", value(None, "1").unwrap()).is_err());
        for (text, part) in
            [("[1]", "not a JSON object"), (r#"{"a":1,"a":2}"#, "`a` occurs twice"), ("{", "not a JSON object")]
        {
            assert!(Node::object(text).unwrap_err().contains(part), "{text}");
        }
    }

    #[test]
    fn values_have_the_type_of_their_field() {
        let fields = operation("createCardholder").unwrap().request.fields;
        let address = field_at(fields, "eeaAddress");
        assert!(address.is_some() && field_at(fields, "eeaAddress.postcode").is_some());
        assert!(value(address, "{\"city\":\"x\"}").is_ok() && value(address, "x").is_err());
        let amount = field_at(operation("topup").unwrap().request.fields, "amount");
        assert_eq!(value(amount, "25.00").unwrap().to_string(), "\"25.00\"");
    }
}
