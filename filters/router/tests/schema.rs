//! The schema takes what the types take, and refuses what they refuse.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use serde_json::Value;
use support::{documents, findings};

const SCHEMA: &str = include_str!("../src/virtualservice.schema.json");

/// Every field that the resource has.
const EVERYTHING: &str = include_str!("everything.yaml");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

/// Where the schema objects to a document.
fn objections(document: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is a schema");
    validator.iter_errors(document).map(|error| error.to_string()).collect()
}

#[test]
fn every_field_is_taken_by_the_schema_and_by_the_types() {
    for document in documents(EVERYTHING) {
        assert_eq!(objections(&document), Vec::<String>::new());
    }
    let errors: Vec<String> = findings(EVERYTHING).into_iter().filter(|line| line.starts_with("error")).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn every_field_of_the_schema_is_in_the_document_that_has_everything() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("there are definitions");
    let used = documents(EVERYTHING).iter().map(Value::to_string).collect::<String>();
    for (name, definition) in definitions {
        for property in definition["properties"].as_object().into_iter().flat_map(|properties| properties.keys()) {
            // Deprecated before Istio 1.0 and refused here, so it cannot stand in a document without errors.
            let refused = ["exponentialDelay", "http2Error"].contains(&property.as_str());
            assert!(refused || used.contains(&format!("\"{property}\":")), "{name}.{property}");
        }
    }
}

#[test]
fn what_is_not_of_the_resource_is_refused() {
    let base = || documents(EVERYTHING).remove(0);
    for (pointer, field, value) in [
        ("/spec", "host", Value::from(vec!["a"])),
        ("/spec/http/0", "retry", Value::Null),
        ("/spec/http/0/match/0", "headers", serde_json::json!({"h": null})),
        ("/spec/http/0/match/0", "uri", Value::from("/")),
        ("/spec/http/0/route/0", "weight", Value::from("50")),
        ("", "apiVersion", Value::from("networking.istio.io/v2")),
    ] {
        let mut document = base();
        assert!(objections(&document).is_empty());
        let place = document.pointer_mut(pointer).expect("the place is there");
        place.as_object_mut().expect("it is an object").insert(field.to_owned(), value);
        assert!(!objections(&document).is_empty(), "{pointer}/{field}");
    }
}
