//! What is known of a value's type before there is one.

use crate::code;
use crate::report::{Place, Report, did_you_mean};
use serde_json::Value;

/// The keys of a schema that this filter reads or may pass over: the part of JSON Schema that names members.
const KEYS: [&str; 14] = [
    "$schema",
    "additionalProperties",
    "default",
    "description",
    "enum",
    "example",
    "format",
    "items",
    "maximum",
    "minimum",
    "properties",
    "required",
    "title",
    "type",
];
/// Schemas within schemas: as deep as answers are.
const DEPTH: usize = 16;

/// What is known of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Nothing.
    Any,
    /// It is a string, a number, a boolean or `null`.
    Plain,
    /// It is a list of such values.
    List(Box<Shape>),
    /// It is an object that has these members, and no others unless it is open.
    Object(Vec<(String, Shape)>, bool),
}

impl Shape {
    /// Reads a schema.
    pub fn read(schema: &Value, place: &Place, report: &mut Report<'_>) -> Self {
        Self::read_at(schema, place, report, 0)
    }

    fn read_at(schema: &Value, place: &Place, report: &mut Report<'_>, depth: usize) -> Self {
        let Some(members) = schema.as_object().filter(|_| depth < DEPTH) else {
            let message = format!("a schema is an object, at most {DEPTH} within each other");
            report.error(place, code::SCHEMA, message, "write `type`, `properties` and `items`");
            return Self::Any;
        };
        for key in members.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let message = format!("`{key}` is no part of the schemas that this filter reads");
            report.error(&place.key(key), code::SCHEMA, message, did_you_mean(key, KEYS));
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => Self::object(schema, place, report, depth),
            None if schema.get("properties").is_some() => Self::object(schema, place, report, depth),
            Some("array") => Self::List(Box::new(match schema.get("items") {
                Some(items) => Self::read_at(items, &place.key("items"), report, depth + 1),
                None => Self::Any,
            })),
            Some("string" | "number" | "integer" | "boolean" | "null") => Self::Plain,
            None => Self::Any,
            Some(other) => {
                let known = ["object", "array", "string", "number", "integer", "boolean", "null"];
                let message = format!("`{other}` is not a type");
                report.error(&place.key("type"), code::SCHEMA, message, did_you_mean(other, known));
                Self::Any
            }
        }
    }

    fn object(schema: &Value, place: &Place, report: &mut Report<'_>, depth: usize) -> Self {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return Self::Object(Vec::new(), true);
        };
        let place = place.key("properties");
        let member = |(name, schema): (&String, &Value)| {
            (name.clone(), Self::read_at(schema, &place.key(name), report, depth + 1))
        };
        let open = schema.get("additionalProperties").and_then(Value::as_bool).unwrap_or(false);
        Self::Object(properties.iter().map(member).collect(), open)
    }

    /// What is known of a member.
    ///
    /// # Errors
    /// When there cannot be one: why, and what to do.
    pub fn member(&self, name: &str) -> Result<Self, (String, String)> {
        match self {
            Self::Any => Ok(Self::Any),
            Self::Object(members, open) => match members.iter().find(|(known, _)| known == name) {
                Some((_, shape)) => Ok(shape.clone()),
                None if *open => Ok(Self::Any),
                None => {
                    let help = did_you_mean(name, members.iter().map(|(name, _)| name.as_str()));
                    Err((format!("the schema has no member `{name}` here"), help))
                }
            },
            Self::List(_) => {
                let help = "take an element with `[0]`, or all of them with `$map`".to_owned();
                Err((format!("a list has no member `{name}`"), help))
            }
            Self::Plain => Err((format!("plain text has no member `{name}`"), "leave the last step out".to_owned())),
        }
    }

    /// What is known of an element; none where there cannot be one.
    pub fn element(&self) -> Option<Self> {
        match self {
            Self::Any => Some(Self::Any),
            Self::List(element) => Some((**element).clone()),
            Self::Plain | Self::Object(..) => None,
        }
    }
}
