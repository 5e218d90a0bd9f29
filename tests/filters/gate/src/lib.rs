//! For tests of configuration and reload: shows in a response header which documents are in effect.

use serde::Deserialize;
use sluicegate_sdk::prelude::*;

/// The answer that `configure` refuses.
const REFUSED: &str = "refuse";

/// Sets the response header `x-gate` to `spec.answer` of each `Gate` document, in order, as one value each.
#[derive(Debug)]
pub struct Gate {
    answers: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    answer: String,
}

impl Configure for Gate {
    type Settings = ();

    fn configure(_: &Environment, (): (), resources: &[Resource], diagnostics: &mut Diagnostics) -> Self {
        let mut answers = Vec::new();
        for resource in resources {
            let Some(spec) = resource.spec::<Spec>(diagnostics) else { continue };
            if spec.answer == REFUSED {
                diagnostics.error(resource, "/spec/answer", "SG0901", "this answer is refused");
                diagnostics.help("give any other answer");
            }
            answers.push(spec.answer);
        }
        Self { answers }
    }
}

impl RequestFilter for Gate {
    fn on_request(&self, _: &Request<'_>) -> RequestDecision {
        let add = |continuation: sluicegate_sdk::Continuation, answer: &String| {
            continuation.with_response(append_header("x-gate", answer.as_bytes()))
        };
        self.answers.iter().fold(next(), add).into()
    }
}

sluicegate_sdk::export!(
    Gate,
    hooks: [configuration, request],
    kinds: [("test.sluicegate.dev", "Gate", "../gate.schema.json")],
);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::{TestRequest, configure, resource};

    fn document(index: u32, answer: &str) -> Resource {
        let json = format!(r#"{{"kind":"Gate","metadata":{{"name":"gate"}},"spec":{{"answer":"{answer}"}}}}"#);
        resource(index, &json)
    }

    #[test]
    fn each_document_gives_one_value() {
        let (gate, diagnostics) = configure::<Gate>((), &[document(0, "one"), document(1, "two")]);
        assert!(diagnostics.lines().is_empty());
        let expected =
            next().with_response(append_header("x-gate", "one")).with_response(append_header("x-gate", "two"));
        assert_eq!(gate.on_request(&TestRequest::get("/").request()), expected.into());
    }

    #[test]
    fn the_answer_refuse_is_refused() {
        let (_, diagnostics) = configure::<Gate>((), &[document(0, "one"), document(1, REFUSED)]);
        assert_eq!(diagnostics.lines(), ["error SG0901 /spec/answer: this answer is refused"]);
    }
}
