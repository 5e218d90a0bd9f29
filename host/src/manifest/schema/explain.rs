//! Words for a single mismatch between a value and its schema.

use super::{Finding, MAX_FINDINGS, alternatives, codes, list};
use crate::manifest::nearest;
use crate::manifest::node::step;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

/// Longer texts are cut in messages; the snippet shows them whole.
const SHOWN_TEXT: usize = 40;
/// More names than this in a message help nobody.
const SHOWN_NAMES: usize = 24;

/// Adds what an error means.
pub(super) fn explain(error: &ValidationError<'_>, schema: &Value, findings: &mut Vec<Finding>) {
    let value = error.instance();
    let mut add = |code, message: String, help: Option<String>| {
        findings.push(Finding { pointer: error.instance_path().as_str().into(), key: false, code, message, help });
    };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = known_fields(error, schema);
            let pointer = error.instance_path().as_str();
            let unexpected = unexpected.iter().take(MAX_FINDINGS);
            findings.extend(unexpected.map(|name| unknown_field(pointer, name, &known)));
        }
        Kind::Type { kind } => add(codes::WRONG_TYPE, wrong_type(kind, value), type_help(kind, value)),
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            add(codes::MISSING_FIELD, format!("the field `{name}` is missing"), None);
        }
        Kind::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            let (message, help) = not_an_option(options, value);
            add(codes::NOT_AN_OPTION, message, help);
        }
        Kind::Constant { expected_value } => {
            let (message, help) = not_an_option(std::slice::from_ref(&**expected_value), value);
            add(codes::NOT_AN_OPTION, message, help);
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            alternatives::none_fits(error, context, schema, findings);
        }
        Kind::OneOfMultipleValid { .. } => alternatives::several_fit(error, schema, findings),
        Kind::PropertyNames { error } => explain(error, schema, findings),
        _ => {
            let (code, message) = bounds(error.kind(), value).map_or_else(
                || (codes::NO_ALTERNATIVE, error.masked_with(found(value)).to_string()),
                |message| (codes::OUT_OF_BOUNDS, message),
            );
            add(code, message, description(error, schema));
        }
    }
}

/// A field that the schema does not have, with the one that was likely meant.
pub(super) fn unknown_field(pointer: &str, name: &str, known: &[&str]) -> Finding {
    let help = match nearest(name, known.iter().copied()) {
        Some(close) => Some(format!("did you mean `{close}`?")),
        None if known.is_empty() => None,
        None if known.len() > SHOWN_NAMES => {
            Some(format!("the fields here are {} and more", list(&known[..SHOWN_NAMES], "and")))
        }
        None => Some(format!("the fields here are {}", list(known, "and"))),
    };
    let message = format!("unknown field `{name}`");
    Finding { pointer: step(pointer, name), key: true, code: codes::UNKNOWN_FIELD, message, help }
}

/// A value that is none of those allowed.
pub(super) fn not_an_option(options: &[Value], value: &Value) -> (String, Option<String>) {
    let names: Vec<String> = options.iter().filter(|option| !option.is_null()).map(plain).collect();
    let expected = if names.len() == 1 { list(&names, "or") } else { format!("one of {}", list(&names, "or")) };
    let close = value.as_str().and_then(|text| nearest(text, names.iter().map(String::as_str)));
    let help = close.map(|close| format!("did you mean `{close}`?"));
    (format!("expected {expected}, found {}", found(value)), help)
}

/// What a value is, for messages.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() > SHOWN_TEXT => {
            format!("the string \"{}…\"", text.chars().take(SHOWN_TEXT).collect::<String>())
        }
        Value::String(text) => format!("the string {text:?}"),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a mapping".into(),
    }
}

/// The types that are expected, null left out: whoever writes a value means one.
pub(super) fn types(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(kind) => vec![*kind],
        TypeKind::Multiple(kinds) => kinds.iter().filter(|kind| *kind != JsonType::Null).collect(),
    }
}

/// Such as `an integer or a string`.
pub(super) fn type_words(types: &[JsonType]) -> String {
    let words = types.iter().map(|kind| match kind {
        JsonType::Null => "nothing",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "an integer",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping",
    });
    words.collect::<Vec<_>>().join(" or ")
}

fn wrong_type(kind: &TypeKind, value: &Value) -> String {
    format!("expected {}, found {}", type_words(&types(kind)), found(value))
}

fn type_help(kind: &TypeKind, value: &Value) -> Option<String> {
    let types = types(kind);
    let wants = |kind| types.contains(&kind);
    match value {
        Value::Number(_) | Value::Bool(_) if wants(JsonType::String) => Some(format!("put it in quotes: \"{value}\"")),
        Value::String(text) if wants(JsonType::Integer) && text.parse::<i64>().is_ok() => {
            Some(format!("write it without quotes: {text}"))
        }
        Value::String(text) if wants(JsonType::Boolean) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" => Some("write true".into()),
            "no" | "off" | "false" => Some("write false".into()),
            _ => None,
        },
        Value::Object(fields) if wants(JsonType::String) && fields.len() == 1 => {
            Some("a text that holds a colon is put in quotes".into())
        }
        Value::Object(_) if wants(JsonType::Array) => Some("begin each item of a list with a dash".into()),
        _ => None,
    }
}

fn bounds(kind: &Kind, value: &Value) -> Option<String> {
    let found = found(value);
    let plural = |count: &u64, one: &str| if *count == 1 { one.to_owned() } else { format!("{one}s") };
    Some(match kind {
        Kind::Minimum { limit } => format!("expected at least {limit}, found {found}"),
        Kind::Maximum { limit } => format!("expected at most {limit}, found {found}"),
        Kind::ExclusiveMinimum { limit } => format!("expected more than {limit}, found {found}"),
        Kind::ExclusiveMaximum { limit } => format!("expected less than {limit}, found {found}"),
        Kind::MinLength { limit: 1 } => "expected a string that is not empty".into(),
        Kind::MinLength { limit } => format!("expected at least {limit} characters, found {found}"),
        Kind::MaxLength { limit } => format!("expected at most {limit} characters, found {found}"),
        Kind::MinItems { limit } => format!("expected at least {limit} {}", plural(limit, "item")),
        Kind::MaxItems { limit } => format!("expected at most {limit} {}", plural(limit, "item")),
        Kind::MinProperties { limit } => format!("expected at least {limit} {}", plural(limit, "field")),
        Kind::MaxProperties { limit } => format!("expected at most {limit} {}", plural(limit, "field")),
        Kind::MultipleOf { multiple_of } => format!("expected a multiple of {multiple_of}, found {found}"),
        Kind::Pattern { pattern } => format!("{found} does not match the pattern `{pattern}`"),
        Kind::Format { format } => format!("{found} is not a valid {format}"),
        Kind::UniqueItems => "an item is given twice".into(),
        _ => return None,
    })
}

/// The fields that the schema of the error's place knows.
fn known_fields<'a>(error: &ValidationError<'_>, schema: &'a Value) -> Vec<&'a str> {
    let properties = parent(error, schema).and_then(|parent| parent.get("properties")).and_then(Value::as_object);
    properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// What the schema says about the value in its own words.
fn description(error: &ValidationError<'_>, schema: &Value) -> Option<String> {
    parent(error, schema)?.get("description")?.as_str().map(str::to_owned)
}

/// The schema that holds the failing keyword.
fn parent<'a>(error: &ValidationError<'_>, schema: &'a Value) -> Option<&'a Value> {
    let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
    schema.pointer(parent)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
