//! What documents of others refer to and do not hold: they are judged by themselves, so it is put beside them.

use crate::tls::Authority;
use serde_json::Value;
use std::collections::BTreeMap;

/// The Secrets that Gateways of a text take their certificates from, and the ConfigMaps with their clients' authorities.
/// Empty where it is no YAML: then that is the finding.
pub(super) fn documents(text: &str) -> String {
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
    let secrets: String = hosts.iter().map(secret).collect();
    secrets + &documents.iter().flat_map(|gateway| config_maps(gateway, &authority)).collect::<String>()
}

fn config_maps(gateway: &Value, authority: &Authority) -> Vec<String> {
    let frontend = &gateway["spec"]["tls"]["frontend"];
    let clients = list(&frontend["perPort"]).map(|port| &port["tls"]).chain(std::iter::once(&frontend["default"]));
    let references = clients.flat_map(|clients| list(&clients["validation"]["caCertificateRefs"]));
    let own = string(&gateway["metadata"]["namespace"], "default");
    let certificate = authority.certificate().replace('\n', "\n    ");
    let config_map = |reference: &Value| {
        let (name, namespace) = (string(&reference["name"], "unnamed"), string(&reference["namespace"], &own));
        let head = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\n");
        format!("{head}data:\n  ca.crt: |\n    {}\n---\n", certificate.trim_end())
    };
    references.map(config_map).collect()
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
    fn what_is_referred_to_is_made_in_its_namespace() {
        let text = "kind: Gateway
metadata: {namespace: edge}
spec:
  tls: {frontend: {perPort: [{port: 1, tls: {validation: {caCertificateRefs: [{name: authorities}]}}}]}}
  listeners:
  - {name: plain}
  - {name: a, hostname: a.example, tls: {certificateRefs: [{name: own}, {name: there, namespace: other}]}}
  - {name: b, hostname: '*.b.example', tls: {certificateRefs: [{name: own}]}}
---
kind: HTTPRoute
";
        let secrets = documents(text);
        assert!(secrets.contains("kind: ConfigMap\nmetadata: {name: authorities, namespace: edge}\n"), "{secrets}");
        assert_eq!(secrets.matches("kind: Secret").count(), 2, "{secrets}");
        assert!(secrets.contains("{name: own, namespace: edge}"), "{secrets}");
        assert!(secrets.contains("{name: there, namespace: other}"), "{secrets}");
        assert!(documents("kind: [").is_empty());
    }
}
