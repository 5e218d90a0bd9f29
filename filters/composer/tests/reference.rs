//! Templates give what a plain evaluator over parsed values gives, whether bodies are looked into or stay with the host.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sluicegate_sdk::testing::TestRequest;
use sluicegate_sdk::{BodyUse, CallError};
use support::{composer, get, run, value};

/// A template, as JSON to write into a document and as what it means.
#[derive(Debug, Clone)]
enum Template {
    Literal(Value),
    /// A body, and steps into it; then perhaps what stands in for it.
    Body(usize, Vec<Step>, Option<Value>),
    Text(usize, Vec<Step>),
    Object(Vec<(String, Template)>),
    List(Vec<Template>),
    Merge(Vec<Template>),
    Pick(Vec<String>, Box<Template>),
    Drop(Vec<String>, Box<Template>),
    Rename(String, String, Box<Template>),
    Flatten(Box<Template>),
    Entries(Box<Template>),
    Index(Box<Template>, String),
    Map(Box<Template>, String),
    Join(Box<Template>, Box<Template>, String, bool),
}

#[derive(Debug, Clone)]
enum Step {
    Member(String),
    Element(i64),
}

const NAMES: [&str; 3] = ["a", "b", "id"];
const CALLS: [&str; 3] = ["one", "two", "three"];

impl Template {
    fn written(&self) -> Value {
        match self {
            Self::Literal(value) => json!({ "$literal": value }),
            Self::Body(call, steps, default) => {
                let default = default.as_ref().map_or(String::new(), |default| format!(" ?? {default}"));
                Value::from(format!("{{{}{default}}}", reference(*call, steps)))
            }
            Self::Text(call, steps) => Value::from(format!("<{{{}}}>", reference(*call, steps))),
            Self::Object(members) => {
                Value::Object(members.iter().map(|(name, member)| (name.clone(), member.written())).collect())
            }
            Self::List(elements) => elements.iter().map(Self::written).collect(),
            Self::Merge(parts) => json!({ "$merge": parts.iter().map(Self::written).collect::<Vec<_>>() }),
            Self::Pick(names, from) => json!({ "$pick": names, "from": from.written() }),
            Self::Drop(names, from) => json!({ "$drop": names, "from": from.written() }),
            Self::Rename(old, new, from) => json!({ "$rename": { (old.as_str()): new }, "from": from.written() }),
            Self::Flatten(list) => json!({ "$flatten": list.written() }),
            Self::Entries(of) => json!({ "$entries": of.written(), "key": "id" }),
            Self::Index(of, by) => json!({ "$index": of.written(), "by": by }),
            Self::Map(over, name) => {
                json!({ "$map": over.written(), "as": "each", "to": { "it": format!("{{each.{name}}}") } })
            }
            Self::Join(left, right, on, many) => {
                json!({ "$join": left.written(), "with": right.written(), "by": on, "as": "other", "many": many })
            }
        }
    }

    /// What it means, over parsed values.
    fn value(&self, bodies: &[Value]) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Body(call, steps, default) => {
                let found = walk(&bodies[*call], steps);
                match default {
                    Some(default) => Some(found.filter(|found| !found.is_null()).unwrap_or_else(|| default.clone())),
                    None => found,
                }
            }
            Self::Text(call, steps) => {
                let text = match walk(&bodies[*call], steps) {
                    None | Some(Value::Null) => String::new(),
                    Some(Value::String(text)) => text,
                    Some(other) => other.to_string(),
                };
                Some(Value::from(format!("<{text}>")))
            }
            Self::Object(members) => {
                let each = members.iter().filter_map(|(name, member)| Some((name.clone(), member.value(bodies)?)));
                Some(Value::Object(each.collect()))
            }
            Self::List(elements) => Some(elements.iter().filter_map(|element| element.value(bodies)).collect()),
            Self::Merge(parts) => {
                let objects: Vec<Value> =
                    parts.iter().filter_map(|part| part.value(bodies)).filter(Value::is_object).collect();
                let members = objects.iter().filter_map(Value::as_object).flatten();
                let merged = members.map(|(name, value)| (name.clone(), value.clone())).collect();
                (!objects.is_empty()).then_some(Value::Object(merged))
            }
            Self::Pick(names, from) => each_object(from.value(bodies)?, |object| {
                names.iter().filter_map(|name| Some((name.clone(), object.get(name)?.clone()))).collect()
            }),
            Self::Drop(names, from) => each_object(from.value(bodies)?, |object| {
                let left = object.iter().filter(|(name, _)| !names.contains(name));
                left.map(|(name, value)| (name.clone(), value.clone())).collect()
            }),
            Self::Rename(old, new, from) => each_object(from.value(bodies)?, |object| {
                let named = |name: &String| if name == old { new.clone() } else { name.clone() };
                object.iter().map(|(name, value)| (named(name), value.clone())).collect()
            }),
            Self::Flatten(list) => {
                let list = list.value(bodies)?;
                let spread = |element: &Value| element.as_array().cloned().unwrap_or_else(|| vec![element.clone()]);
                Some(list.as_array()?.iter().flat_map(spread).collect())
            }
            Self::Entries(of) => Some(of.value(bodies)?.as_object()?.iter().map(entry).collect()),
            Self::Index(of, by) => {
                let of = of.value(bodies)?;
                let keyed = |element: &Value| Some((key(element.get(by)?)?, element.clone()));
                Some(Value::Object(of.as_array()?.iter().filter_map(keyed).collect()))
            }
            Self::Map(over, name) => {
                let over = over.value(bodies)?;
                let one = |each: &Value| match each.as_object().and_then(|each| each.get(name)) {
                    Some(value) => json!({ "it": value }),
                    None => json!({}),
                };
                Some(over.as_array()?.iter().map(one).collect())
            }
            Self::Join(left, right, on, many) => {
                let left = left.value(bodies)?;
                let right = right.value(bodies).unwrap_or_default();
                Some(left.as_array()?.iter().map(|element| join(element, &right, on, *many)).collect())
            }
        }
    }
}

fn reference(call: usize, steps: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Member(name) => format!(".{name}"),
        Step::Element(index) => format!("[{index}]"),
    };
    format!("{}.body{}", CALLS[call], steps.iter().map(step).collect::<String>())
}

fn walk(value: &Value, steps: &[Step]) -> Option<Value> {
    steps.iter().try_fold(value.clone(), |value, step| match step {
        Step::Member(name) => value.as_object()?.get(name).cloned(),
        Step::Element(index) => {
            let list = value.as_array()?;
            let length = i64::try_from(list.len()).ok()?;
            let index = if *index < 0 { length + index } else { *index };
            list.get(usize::try_from(index).ok()?).cloned()
        }
    })
}

fn each_object(value: Value, one: impl Fn(&Map<String, Value>) -> Map<String, Value>) -> Option<Value> {
    let object = |value: Value| match value {
        Value::Object(object) => Value::Object(one(&object)),
        other => other,
    };
    match value {
        Value::Array(list) => Some(list.into_iter().map(object).collect()),
        Value::Object(_) => Some(object(value)),
        _ => None,
    }
}

fn entry((name, value): (&String, &Value)) -> Value {
    let mut members = Map::from_iter([("id".to_owned(), Value::from(name.as_str()))]);
    match value {
        Value::Object(object) => members.extend(object.clone()),
        other => drop(members.insert("value".to_owned(), other.clone())),
    }
    members.insert("id".to_owned(), Value::from(name.as_str()));
    Value::Object(members)
}

/// The text of a key; a string is told from a number where that matters.
fn key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn join(element: &Value, right: &Value, on: &str, many: bool) -> Value {
    let Some(object) = element.as_object() else { return element.clone() };
    let wanted = object.get(on).filter(|value| key(value).is_some());
    let same = |other: &&Value| wanted.is_some() && other.get(on) == wanted && other.is_object();
    let partners: Vec<Value> = right.as_array().into_iter().flatten().filter(same).cloned().collect();
    let mut joined = object.clone();
    if many {
        joined.insert("other".to_owned(), Value::from(partners));
    } else if let Some(last) = partners.last() {
        joined.insert("other".to_owned(), last.clone());
    }
    Value::Object(joined)
}

fn name() -> impl Strategy<Value = String> {
    proptest::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

/// JSON whose names and values are few, so that templates find something in it.
fn body() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..3_i32).prop_map(Value::from),
        "[ab\"\\\\é{]{0,2}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn template() -> impl Strategy<Value = Template> {
    let step = prop_oneof![3 => name().prop_map(Step::Member), 1 => (-2..2_i64).prop_map(Step::Element)];
    let steps = || proptest::collection::vec(step.clone(), 0..3);
    let default = proptest::option::weighted(0.2, prop_oneof![Just(json!(7)), Just(json!("x")), Just(json!(null))]);
    let leaf = prop_oneof![
        1 => body().prop_map(Template::Literal),
        6 => (0..3_usize, steps(), default).prop_map(|(call, steps, default)| Template::Body(call, steps, default)),
        1 => (0..3_usize, steps()).prop_map(|(call, steps)| Template::Text(call, steps)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let names = || proptest::collection::vec(name(), 0..3);
        let one = || inner.clone().prop_map(Box::new);
        // What has to be a list is one that a body holds, as a literal or an object would be refused when it is loaded.
        let list =
            || (0..3_usize, steps_of_names()).prop_map(|(call, steps)| Box::new(Template::Body(call, steps, None)));
        prop_oneof![
            object(inner.clone()),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Template::List),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Template::Merge),
            (names(), one()).prop_map(|(names, from)| Template::Pick(unique(names), from)),
            (names(), one()).prop_map(|(names, from)| Template::Drop(names, from)),
            (name(), name(), one()).prop_map(|(old, new, from)| Template::Rename(old, new, from)),
            list().prop_map(Template::Flatten),
            one().prop_map(Template::Entries),
            (list(), name()).prop_map(|(of, by)| Template::Index(of, by)),
            (list(), name()).prop_map(|(over, name)| Template::Map(over, name)),
            (list(), list(), name(), any::<bool>())
                .prop_map(|(left, right, on, many)| Template::Join(left, right, on, many)),
        ]
    })
}

fn steps_of_names() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(name().prop_map(Step::Member), 0..2)
}

fn object(inner: impl Strategy<Value = Template>) -> impl Strategy<Value = Template> {
    proptest::collection::vec((name(), inner), 0..3).prop_map(|members| {
        let mut once: Vec<(String, Template)> = Vec::new();
        for (name, member) in members {
            if !once.iter().any(|(known, _)| *known == name) {
                once.push((name, member));
            }
        }
        Template::Object(once)
    })
}

fn unique(names: Vec<String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

/// A composition of three calls with this body. With an entity tag every body is looked into; without, those that can stay
/// with the host do.
fn composition(template: &Template, tagged: bool) -> String {
    let calls: Map<String, Value> =
        CALLS.iter().map(|name| ((*name).to_owned(), json!({ "service": name, "path": "/" }))).collect();
    let spec = json!({
        "hosts": ["shop"], "path": "/products/{id}", "calls": calls,
        "response": { "body": [template.written()], "etag": tagged },
    });
    json!({ "apiVersion": "sluicegate.dev/v1alpha1", "kind": "Composition", "metadata": { "name": "page" }, "spec": spec })
        .to_string()
}

/// The composed body, and how many bodies stayed with the host.
fn composed(template: &Template, bodies: &[Value], tagged: bool) -> (Vec<u8>, usize) {
    let (composer, diagnostics) = support::load(&composition(template, tagged));
    assert!(!diagnostics.has_errors(), "{:?}: {}", diagnostics.lines(), template.written());
    let request: TestRequest = get("/products/7");
    let trial = run(&composer, &request, |name, _| {
        let index = CALLS.iter().position(|known| *known == name).ok_or(CallError::NoEndpoint)?;
        support::json(200, &bodies[index].to_string())
    });
    let kept =
        trial.plans.iter().flat_map(|plan| &plan.calls).filter(|call| call.body_use == BodyUse::SpliceJson).count();
    (trial.answer.expect("an answer").body, kept)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn templates_mean_what_a_plain_evaluator_says(
        template in template(), bodies in proptest::collection::vec(body(), 3),
    ) {
        let expected: Value = [template.value(&bodies)].into_iter().flatten().collect();
        let (looked_into, none) = composed(&template, &bodies, true);
        let (left, _) = composed(&template, &bodies, false);
        let found: Value = serde_json::from_slice(&looked_into).expect("JSON");
        prop_assert_eq!(&found, &expected, "{}", template.written());
        prop_assert_eq!(String::from_utf8_lossy(&left), String::from_utf8_lossy(&looked_into));
        prop_assert_eq!(none, 0);
    }
}

#[test]
fn both_ways_are_taken() {
    let template = Template::Object(vec![
        ("a".to_owned(), Template::Body(0, Vec::new(), None)),
        ("b".to_owned(), Template::Body(1, vec![Step::Member("id".to_owned())], None)),
    ]);
    let bodies = [json!({ "x": [1] }), json!({ "id": 2 }), json!(3)];
    assert_eq!(composed(&template, &bodies, false), (br#"[{"a":{"x":[1]},"b":2}]"#.to_vec(), 1));
    assert_eq!(composed(&template, &bodies, true).1, 0);
}

#[test]
fn stock_is_joined_to_products() {
    let yaml = support::page(
        "calls: {products: {service: a, path: /}, stock: {service: b, path: /}}
response:
  body:
    $join: {$entries: '{products.body.products}', key: id}
    with: {$entries: '{stock.body.products}', key: id}
    by: id
    as: stock
    default: {stock: 0}",
    );
    let _ = composer(&yaml);
    let answer = support::answer(
        &yaml,
        &[
            ("products", r#"{"products":{"cup":{"text":"c"},"pot":{"text":"p"}}}"#),
            ("stock", r#"{"products":{"cup":{"stock":3}}}"#),
        ],
    );
    let expected = json!([
        {"id": "cup", "text": "c", "stock": {"id": "cup", "stock": 3}},
        {"id": "pot", "text": "p", "stock": {"stock": 0}},
    ]);
    assert_eq!(value(&answer), expected);
}
