//! `Overload` (sluicegate.dev/v1alpha1): how much is taken in, and what is refused first.

use super::clients::{ClientLimits, Rate};
use super::memory::{MemoryLimit, MemoryPolicy};
use super::policy::Policy;
use super::rules::{Rule, Rules};
use crate::config::{limits, quantity};
use crate::manifest::endpoints::{HostSchema, Kind, compile};
use crate::manifest::{Diagnostics, Document, Severity, codes};
use crate::priority::Priority;
use crate::upstream::adaptive::Bounds;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The kind that is read here.
pub const KIND: Kind = Kind { group: "sluicegate.dev", versions: &["v1alpha1"], kind: "Overload" };

static SCHEMA: HostSchema = LazyLock::new(|| compile("Overload", include_str!("overload.schema.json")));

/// A rate of less than one request in this time is a mistake.
const LONGEST: Duration = Duration::from_hours(24);

#[derive(Deserialize)]
struct Written {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    requests: Option<usize>,
    memory: Option<Memory>,
    services: Option<Services>,
    clients: Option<Clients>,
    #[serde(default)]
    priorities: Vec<Class>,
    #[serde(default)]
    client_priority: bool,
}

#[derive(Deserialize)]
struct Memory {
    limit: Option<String>,
    from: Option<u8>,
}

#[derive(Deserialize)]
struct Services {
    adaptive: bool,
    least: Option<u32>,
    most: Option<u32>,
}

#[derive(Deserialize)]
struct Clients {
    requests: Option<u32>,
    rate: Option<u32>,
    per: Option<String>,
    burst: Option<u32>,
}

#[derive(Deserialize)]
struct Class {
    priority: String,
    #[serde(default)]
    ports: Vec<u16>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: Option<String>,
}

/// What the documents say; the defaults where none does.
pub fn read(documents: &[Arc<Document>], diagnostics: &mut Diagnostics) -> Policy {
    let written = KIND.read::<Written>(documents, &SCHEMA, diagnostics);
    if let Some((second, _)) = written.get(1) {
        let message = "another Overload document is there already";
        diagnostics
            .push(second.diagnostic(Severity::Error, codes::OVERLOAD, "/kind", message).help("keep one of them"));
    }
    let Some((document, Written { spec })) = written.into_iter().next() else { return Policy::default() };
    let mut reader = Reader { document, diagnostics };
    let rules = spec.priorities.iter().enumerate().filter_map(|(index, class)| reader.rule(index, class)).collect();
    Policy::new(
        spec.requests.unwrap_or(limits::IN_FLIGHT),
        spec.memory.map_or_else(MemoryPolicy::default, |memory| reader.memory(&memory)),
        spec.services.filter(|services| services.adaptive).map(|services| reader.bounds(&services)),
        spec.clients.map_or_else(ClientLimits::default, |clients| reader.clients(&clients)),
        Rules { rules, header: spec.client_priority },
    )
}

struct Reader<'a> {
    document: &'a Document,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn memory(&mut self, memory: &Memory) -> MemoryPolicy {
        let default = MemoryPolicy::default();
        let limit = match memory.limit.as_deref() {
            None | Some("system") => MemoryLimit::OfSystem,
            Some("none") => MemoryLimit::None,
            Some(text) => {
                if let Ok(bytes @ 1..) = quantity::size(text) {
                    MemoryLimit::Bytes(bytes)
                } else {
                    let help = "write a size such as 512MiB, `system` for what the control group allows, or `none`";
                    self.refuse("memory/limit", format!("`{text}` is not a size"), help);
                    default.limit
                }
            }
        };
        MemoryPolicy { limit, from: memory.from.unwrap_or(default.from) }
    }

    fn bounds(&mut self, services: &Services) -> Bounds {
        let least = services.least.unwrap_or(limits::ADAPTIVE_LEAST);
        let most = services.most.unwrap_or(limits::ADAPTIVE_MOST);
        if most < least {
            self.refuse("services/most", format!("{most} is less than the least of {least}"), "write a larger number");
        }
        Bounds { least, most: most.max(least) }
    }

    fn clients(&mut self, clients: &Clients) -> ClientLimits {
        if clients.rate.is_none() && (clients.per.is_some() || clients.burst.is_some()) {
            let help = "write for example `rate: 50`, so many requests in a second";
            self.refuse("clients", "`per` and `burst` say something of a rate, and there is none".into(), help);
        }
        let per = match clients.per.as_deref().map(|text| (text, quantity::duration(text))) {
            None => Duration::from_secs(1),
            Some((_, Ok(per))) if per >= Duration::from_millis(1) && per <= LONGEST => per,
            Some((text, _)) => {
                self.refuse("clients/per", format!("`{text}` is not a time for a rate"), "write one from 1ms to 24h");
                Duration::from_secs(1)
            }
        };
        let rate = clients.rate.map(|rate| Rate { every: per / rate.max(1), burst: clients.burst.unwrap_or(rate) });
        ClientLimits { requests: clients.requests, rate }
    }

    fn rule(&mut self, index: usize, class: &Class) -> Option<Rule> {
        let Class { priority, ports, hosts, paths, headers } = class;
        let priority = Priority::named(priority)?;
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let mut wanted = Vec::new();
        for (number, Header { name, value }) in headers.iter().enumerate() {
            let value = value.as_deref().map(HeaderValue::from_str).transpose();
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value) else {
                let place = format!("priorities/{index}/headers/{number}");
                self.refuse(&place, format!("`{name}` with this value is not a header"), "write one as HTTP has it");
                continue;
            };
            wanted.push((name, value));
        }
        Some(Rule { priority, ports: ports.clone(), hosts, paths: paths.clone(), headers: wanted })
    }

    fn refuse(&mut self, field: &str, message: String, help: &str) {
        let pointer = format!("/spec/{field}");
        let diagnostic = self.document.diagnostic(Severity::Error, codes::OVERLOAD, &pointer, message);
        self.diagnostics.push(diagnostic.help(help.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn policy(specs: &[&str]) -> (Policy, Vec<String>) {
        let document = |(index, spec): (usize, &&str)| {
            format!("apiVersion: sluicegate.dev/v1alpha1\nkind: Overload\nmetadata: {{name: o{index}}}\nspec: {spec}\n")
        };
        let text = specs.iter().enumerate().map(document).collect::<Vec<_>>().join("---\n");
        let mut diagnostics = Diagnostics::new();
        let documents = crate::manifest::parse(Path::new("a.yaml"), text.as_bytes(), "default", &mut diagnostics);
        let documents: Vec<_> = documents.into_iter().map(Arc::new).collect();
        let policy = read(&documents, &mut diagnostics);
        (policy, diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect())
    }

    #[test]
    fn without_a_word_the_defaults_hold() {
        assert_eq!(policy(&[]), (Policy::default(), Vec::new()));
        assert_eq!(policy(&["{}"]), (Policy::default(), Vec::new()));
        assert_eq!(
            policy(&["{services: {adaptive: false}, memory: {limit: system}}"]),
            (Policy::default(), Vec::new())
        );
    }

    #[test]
    fn everything_may_be_chosen() {
        let (policy, said) = policy(&["{requests: 50, memory: {limit: 512MiB, from: 80}, \
            services: {adaptive: true, most: 200}, clients: {requests: 10, rate: 30, per: 1m, burst: 5}, \
            clientPriority: true, priorities: [{priority: low, hosts: ['*.Example', shop], paths: [/batch], \
            ports: [8080], headers: [{name: X-Crawler}, {name: x-tenant, value: gold}]}]}"]);
        assert_eq!(said, Vec::<String>::new());
        assert_eq!((policy.requests, policy.room(Priority::Low)), (50, 30));
        assert_eq!(policy.memory, MemoryPolicy { limit: MemoryLimit::Bytes(512 << 20), from: 80 });
        assert_eq!(policy.services, Some(Bounds { least: limits::ADAPTIVE_LEAST, most: 200 }));
        let rate = Rate { every: Duration::from_secs(2), burst: 5 };
        assert_eq!(policy.clients, ClientLimits { requests: Some(10), rate: Some(rate) });
        let headers = vec![
            (HeaderName::from_static("x-crawler"), None),
            (HeaderName::from_static("x-tenant"), Some(HeaderValue::from_static("gold"))),
        ];
        let rule = Rule {
            ports: vec![8080],
            hosts: vec!["*.example".into(), "shop".into()],
            paths: vec!["/batch".into()],
            headers,
            ..Rule::new(Priority::Low)
        };
        assert_eq!(policy.rules, Rules { rules: vec![rule], header: true });
    }

    #[test]
    fn mistakes_are_said_where_they_are() {
        let (_, said) = policy(&[
            "{memory: {limit: much}, services: {adaptive: true, least: 9, most: 4}, clients: {burst: 3, per: soon}, \
             priorities: [{priority: low, headers: [{name: 'a b'}]}]}",
            "{}",
        ]);
        for part in ["`much` is not a size", "4 is less", "`per` and `burst`", "`soon` is not", "`a b` with", "another"]
        {
            assert!(said.iter().any(|message| message.contains(part)), "no {part:?} in {said:#?}");
        }
        for spec in ["{request: 1}", "{priorities: [{priority: urgent}]}", "{memory: {from: 0}}", "{requests: 0}"] {
            assert_eq!(policy(&[spec]).1.len(), 1, "{spec}");
        }
    }
}
