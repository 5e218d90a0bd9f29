//! The filters of a Trigger, or of a bridge, read.

use super::reader::Reader;
use crate::cesql;
use crate::filter::{Filter, Filters};
use serde_json::{Map, Value};
use sluicegate_sdk::Resource;

/// How deep `all`, `any` and `not` may be nested: more than anybody reads.
const NESTING: usize = 16;
const DIALECTS: &str = "exact, prefix, suffix, all, any, not and cesql";

/// `filter.attributes`: every attribute is the value; an empty value says that it has to be there.
pub(super) fn attributes(reader: &mut Reader<'_>, at: (&Resource, &str), attributes: &Map<String, Value>) -> Filters {
    let mut filters = Vec::new();
    for (name, value) in attributes {
        let pointer = format!("{}/{}", at.1, escaped(name));
        check_name(reader, (at.0, &pointer), name);
        let value = value.as_str().unwrap_or_default();
        filters.push(match value {
            "" => Filter::Present(name.clone()),
            value => Filter::Exact(name.clone(), value.to_owned()),
        });
    }
    Filters(filters)
}

/// `filters`: every one passes.
pub(super) fn filters(reader: &mut Reader<'_>, at: (&Resource, &str), filters: &[Value]) -> Filters {
    Filters(list(reader, at, filters, 0))
}

fn list(reader: &mut Reader<'_>, at: (&Resource, &str), filters: &[Value], depth: usize) -> Vec<Filter> {
    let each = filters.iter().enumerate();
    each.filter_map(|(index, value)| one(reader, (at.0, &format!("{}/{index}", at.1)), value, depth)).collect()
}

fn one(reader: &mut Reader<'_>, at: (&Resource, &str), value: &Value, depth: usize) -> Option<Filter> {
    if depth > NESTING {
        let message = format!("filters are nested more than {NESTING} levels deep");
        reader.error(at, "SG0424", &message, "write it as one `cesql` expression");
        return None;
    }
    let dialects: Vec<(&String, &Value)> = value.as_object().map(|fields| fields.iter().collect()).unwrap_or_default();
    let [(dialect, value)] = dialects.as_slice() else {
        let message = format!("a filter has exactly one dialect, and this one has {}", dialects.len());
        let help = format!("the dialects are {DIALECTS}; several of them are several elements, or within `all`");
        reader.error(at, "SG0422", &message, &help);
        return None;
    };
    let pointer = format!("{}/{dialect}", at.1);
    let at = (at.0, pointer.as_str());
    match (dialect.as_str(), value) {
        ("exact", Value::Object(map)) => Some(comparisons(reader, at, map, Filter::Exact)),
        ("prefix", Value::Object(map)) => Some(comparisons(reader, at, map, Filter::Prefix)),
        ("suffix", Value::Object(map)) => Some(comparisons(reader, at, map, Filter::Suffix)),
        ("all" | "any", Value::Array(filters)) => {
            if filters.is_empty() {
                let message = format!("`{dialect}` of nothing says nothing");
                reader.error(at, "SG0423", &message, "add a filter, or remove it");
            }
            let filters = list(reader, at, filters, depth + 1);
            Some(if *dialect == "all" { Filter::All(filters) } else { Filter::Any(filters) })
        }
        ("not", filter) => Some(Filter::Not(Box::new(one(reader, at, filter, depth + 1)?))),
        ("cesql", Value::String(text)) => sql(reader, at, text),
        _ => {
            let message = format!("`{dialect}` is no dialect of filters, or not of this shape");
            reader.error(at, "SG0422", &message, &format!("the dialects are {DIALECTS}"));
            None
        }
    }
}

fn comparisons(
    reader: &mut Reader<'_>,
    at: (&Resource, &str),
    map: &Map<String, Value>,
    filter: fn(String, String) -> Filter,
) -> Filter {
    if map.is_empty() {
        reader.error(at, "SG0423", "this names no attribute, so it says nothing", "add an attribute, or remove it");
    }
    let mut filters = Vec::new();
    for (name, value) in map {
        let pointer = format!("{}/{}", at.1, escaped(name));
        check_name(reader, (at.0, &pointer), name);
        let value = value.as_str().unwrap_or_default();
        if value.is_empty() {
            let help = "to ask whether the attribute is there, write `cesql: EXISTS name`";
            reader.error((at.0, &pointer), "SG0421", "the value is empty", help);
        }
        filters.push(filter(name.clone(), value.to_owned()));
    }
    Filter::All(filters)
}

fn sql(reader: &mut Reader<'_>, at: (&Resource, &str), text: &str) -> Option<Filter> {
    match cesql::parse(text) {
        Ok(expression) => {
            if expression.calls_unknown() {
                let message =
                    "the expression calls a function that there is not, or not with so many arguments; it never passes";
                let help = "functions are LENGTH CONCAT CONCAT_WS LOWER UPPER TRIM LEFT RIGHT SUBSTRING ABS INT BOOL STRING \
                            IS_INT IS_BOOL";
                reader.warning(at, "SG0426", message, help);
            }
            Some(Filter::Sql(expression))
        }
        Err(error) => {
            let help = "an expression looks like: type LIKE 'order.%' AND EXISTS subject";
            reader.error(at, "SG0425", &format!("the expression cannot be read, {error}"), help);
            None
        }
    }
}

/// Attributes of filters are names that an event can have (Knative: `^[a-z][a-z0-9]*$`).
fn check_name(reader: &mut Reader<'_>, at: (&Resource, &str), name: &str) {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !letters || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        let message = format!("{name:?} is not the name of an attribute");
        reader.error(at, "SG0420", &message, "names have a-z and 0-9 alone, and begin with a letter");
    }
}

/// A key as a part of a JSON pointer (RFC 6901, section 3).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
