//! What documents of others refer to and do not hold: they are judged by themselves, so it is put beside them.

use crate::tls::Authority;
use serde_json::Value;
use std::collections::BTreeMap;

/// The Secrets that Gateways of a text take their certificates from. Empty where it is no YAML: then that is the finding.
pub(super) fn secrets(text: &str) -> String {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap_or_default();
    let mut hosts: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for gateway in documents.iter().filter(|document| document["kind"] == "Gateway") {
        let own = string(&gateway["metadata"]["namespace"], "default");
        for listener in list(&gateway["spec"]["listeners"]) {
            for reference in list(&listener["tls"]["certificateRefs"]) {
                let key = (string(&reference["namespace"], &own), string(&reference["name"], "unnamed"));
                hosts.entry(key).or_default().push(string(&listener["hostname"], "any.example"));
            }
        }
    }
    let authority = Authority::new();
    let secret = |((namespace, name), hosts): (&(String, String), &Vec<String>)| {
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let named = format!("{name}, namespace: {namespace}");
        authority.issue(&hosts).secret(&named, &[])
    };
    hosts.iter().map(secret).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn string(value: &Value, otherwise: &str) -> String {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(otherwise).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_for_each_reference_in_its_namespace() {
        let text = "kind: Gateway
metadata: {namespace: edge}
spec:
  listeners:
  - {name: plain}
  - {name: a, hostname: a.example, tls: {certificateRefs: [{name: own}, {name: there, namespace: other}]}}
  - {name: b, hostname: '*.b.example', tls: {certificateRefs: [{name: own}]}}
---
kind: HTTPRoute
";
        let secrets = secrets(text);
        assert_eq!(secrets.matches("kind: Secret").count(), 2, "{secrets}");
        assert!(secrets.contains("{name: own, namespace: edge}"), "{secrets}");
        assert!(secrets.contains("{name: there, namespace: other}"), "{secrets}");
        assert!(super::secrets("kind: [").is_empty());
    }
}
