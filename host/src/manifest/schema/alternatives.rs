//! Words for a value that has one of several forms (`oneOf`, `anyOf`): finds the form that was meant, and says what is
//! wrong with that one instead of listing what is wrong with all.

use super::explain::{explain, found, not_an_option, type_words, types, unknown_field};
use super::{Finding, codes, list};
use crate::manifest::nearest;
use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{JsonType, ValidationError};
use serde_json::{Map, Value};

/// References that are followed to find a form's fields; schemas of real kinds need one.
const MAX_REFERENCES: usize = 8;

/// One of the forms and why the value does not have it.
struct Form<'a> {
    schema: &'a Value,
    errors: &'a [ValidationError<'static>],
}

/// The value has none of the forms.
pub(super) fn none_fits(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    schema: &Value,
    findings: &mut Vec<Finding>,
) {
    let here = error.instance_path().as_str();
    let value = error.instance();
    let forms = forms(error, schema).into_iter().zip(context);
    let forms: Vec<Form<'_>> = forms.map(|(schema, errors)| Form { schema, errors }).collect();
    let right_type: Vec<&Form<'_>> = forms.iter().filter(|form| form.wrong_types(here).is_empty()).collect();
    let mut add = |code, message, help| {
        findings.push(Finding { pointer: here.into(), key: false, code, message, help });
    };
    if right_type.is_empty() {
        let mut expected: Vec<JsonType> = forms.iter().flat_map(|form| form.wrong_types(here)).collect();
        expected.retain(|kind| *kind != JsonType::Null);
        expected.dedup();
        let message = format!("expected {}, found {}", type_words(&expected), found(value));
        return add(codes::WRONG_TYPE, message, None);
    }
    let options: Option<Vec<Value>> =
        right_type.iter().map(|form| form.options(here)).collect::<Option<Vec<_>>>().map(|all| all.concat());
    if let Some(options) = options {
        let (message, help) = not_an_option(&options, value);
        return add(codes::NOT_AN_OPTION, message, help);
    }
    if let Value::Object(fields) = &**value
        && right_type.len() > 1
    {
        return by_fields(here, fields, &right_type, schema, findings);
    }
    let nearest = right_type.iter().min_by_key(|form| form.errors.len());
    nearest.into_iter().flat_map(|form| form.errors).for_each(|error| explain(error, schema, findings));
}

/// The value has more than one form where one is asked for.
pub(super) fn several_fit(error: &ValidationError<'_>, schema: &Value, findings: &mut Vec<Finding>) {
    let value = error.instance();
    let fields = value.as_object();
    let forms = forms(error, schema);
    let given =
        forms.iter().flat_map(|form| required(form)).filter(|name| fields.is_some_and(|f| f.contains_key(*name)));
    let given: Vec<&str> = given.collect();
    let message = if given.is_empty() {
        format!("{} fits several forms where one is asked for", found(value))
    } else {
        format!("only one of {} may be given", list(given, "and"))
    };
    let pointer = error.instance_path().as_str().into();
    findings.push(Finding { pointer, key: false, code: codes::NO_ALTERNATIVE, message, help: None });
}

/// Tells a mapping's form by the fields that each form requires.
fn by_fields(
    here: &str,
    fields: &Map<String, Value>,
    forms: &[&Form<'_>],
    schema: &Value,
    findings: &mut Vec<Finding>,
) {
    let has_all = |form: &&&Form<'_>| {
        let mut names = required(form.schema).peekable();
        names.peek().is_some() && names.all(|name| fields.contains_key(name))
    };
    let meant: Vec<&&Form<'_>> = forms.iter().filter(has_all).collect();
    let mut add = |code, message, help| {
        findings.push(Finding { pointer: here.into(), key: false, code, message, help });
    };
    match meant.as_slice() {
        [form] => form.errors.iter().for_each(|error| explain(error, schema, findings)),
        [] => {
            let names: Vec<&str> = forms.iter().flat_map(|form| required(form.schema)).collect();
            let known = |name: &str| forms.iter().any(|form| properties(form.schema).any(|known| known == name));
            let mistyped = fields.keys().find(|name| !known(name) && nearest(name, names.iter().copied()).is_some());
            match mistyped {
                Some(name) => findings.push(unknown_field(here, name, &names)),
                None if names.is_empty() => {
                    add(codes::NO_ALTERNATIVE, "the mapping fits none of its forms".into(), None);
                }
                None => add(codes::NO_ALTERNATIVE, format!("expected one of the fields {}", list(&names, "or")), None),
            }
        }
        several => {
            let names = several.iter().flat_map(|form| required(form.schema));
            add(codes::NO_ALTERNATIVE, format!("only one of {} may be given", list(names, "and")), None);
        }
    }
}

impl Form<'_> {
    /// The types that the form wants where the value has another.
    fn wrong_types(&self, here: &str) -> Vec<JsonType> {
        let kinds = self.errors.iter().filter(|error| error.instance_path().as_str() == here);
        kinds
            .filter_map(|error| match error.kind() {
                Kind::Type { kind } => Some(types(kind)),
                _ => None,
            })
            .flatten()
            .collect()
    }

    /// The values that the form allows, if that is what it is.
    fn options(&self, here: &str) -> Option<Vec<Value>> {
        match self.errors {
            [error] if error.instance_path().as_str() == here => match error.kind() {
                Kind::Enum { options } => options.as_array().cloned(),
                Kind::Constant { expected_value } => Some(vec![Value::clone(expected_value)]),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The schemas of the forms.
fn forms<'a>(error: &ValidationError<'_>, schema: &'a Value) -> Vec<&'a Value> {
    let forms = schema.pointer(error.schema_path().as_str()).and_then(Value::as_array);
    forms.map(|forms| forms.iter().map(|form| resolve(form, schema)).collect()).unwrap_or_default()
}

fn resolve<'a>(form: &'a Value, schema: &'a Value) -> &'a Value {
    let mut form = form;
    for _ in 0..MAX_REFERENCES {
        let reference = form.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        match reference.and_then(|pointer| schema.pointer(pointer)) {
            Some(target) => form = target,
            None => break,
        }
    }
    form
}

fn required(form: &Value) -> impl Iterator<Item = &str> {
    form.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn properties(form: &Value) -> impl Iterator<Item = &str> {
    form.get("properties").and_then(Value::as_object).into_iter().flat_map(|fields| fields.keys().map(String::as_str))
}
