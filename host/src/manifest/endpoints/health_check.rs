//! `HealthCheck` (sluicegate.dev/v1alpha1): how the endpoints of a service are asked whether they are well.

use super::{HEALTH_CHECK, HostSchema, Scope, codes, compile, duration, item};
use crate::manifest::document::Document;
use crate::manifest::nearest;
use crate::upstream::policy::{HealthCheck, Probe};
use http::uri::PathAndQuery;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static SCHEMA: HostSchema = LazyLock::new(|| compile("HealthCheck", include_str!("health_check.schema.json")));

/// Between two questions unless the document says: an endpoint that dies is out after some fifteen seconds.
const INTERVAL: Duration = Duration::from_secs(5);
/// For an answer unless the document says.
const TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest interval: asking more often is a load of its own.
const SHORTEST: Duration = Duration::from_millis(100);
/// Good answers that bring an endpoint back unless the document says.
const HEALTHY: u32 = 2;
/// Bad answers that take one out unless the document says: one may be chance.
const UNHEALTHY: u32 = 3;
/// Below this share of endpoints that are in, in percent, all are used unless the document says otherwise: a check that
/// finds most of a service dead is more likely to be wrong itself.
const PANIC: u32 = 50;

#[derive(Deserialize)]
struct Written {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    host: String,
    port: Option<u16>,
    http: Option<Http>,
    tcp: Option<serde_json::Value>,
    interval: Option<String>,
    timeout: Option<String>,
    healthy_threshold: Option<u32>,
    unhealthy_threshold: Option<u32>,
    panic_threshold: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    path: String,
    host: Option<String>,
    expected_statuses: Option<Vec<Expected>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expected {
    Status(u16),
    Range(String),
}

/// Gives all services the checks that are for them.
pub(super) fn apply(documents: &[Arc<Document>], scope: &mut Scope<'_>) {
    let mut checks: BTreeMap<String, Vec<Arc<HealthCheck>>> = BTreeMap::new();
    for (document, written) in scope.read::<Written>(documents, HEALTH_CHECK, &SCHEMA) {
        let Some(check) = resolve(document, &written.spec, scope) else { continue };
        let host = scope.registry.names.expand(&written.spec.host, &document.namespace);
        let Some(service) = scope.registry.service(&host).map(|service| service.name.clone()) else {
            report_unknown(document, &host, scope);
            continue;
        };
        let of_service = checks.entry(service).or_default();
        if of_service.iter().any(|before| before.port == check.port || before.port.is_none() || check.port.is_none()) {
            let message = "another HealthCheck is for the same endpoints".to_owned();
            scope.error(document, codes::POLICY_FIELDS, "/spec/host", message, Some("keep one of them"));
            continue;
        }
        of_service.push(Arc::new(check));
    }
    for (service, checks) in checks {
        scope.registry.set_checks(&service, checks);
    }
}

fn resolve(document: &Document, spec: &Spec, scope: &mut Scope<'_>) -> Option<HealthCheck> {
    let probe = match (&spec.http, &spec.tcp) {
        (Some(http), None) => probe(document, http, scope)?,
        (None, Some(_)) => Probe::Tcp,
        _ => {
            let message = "exactly one of `http` and `tcp` has to be given".to_owned();
            let help = "write `http: {path: /healthz}`, or `tcp: {}` to be content with a connection";
            scope.error(document, codes::POLICY_FIELDS, "/spec", message, Some(help));
            return None;
        }
    };
    let mut time = |field: &str, text: Option<&String>, default: Duration, least: Duration| {
        let Some(text) = text else { return Some(default) };
        let found = duration::parse(text).filter(|duration| *duration >= least);
        if found.is_none() {
            let message = format!("`{text}` is not a duration of at least {least:?}");
            let help = "write a number and a unit, such as 500ms or 5s";
            scope.error(document, codes::POLICY_VALUE, &format!("/spec/{field}"), message, Some(help));
        }
        found
    };
    let interval = time("interval", spec.interval.as_ref(), INTERVAL, SHORTEST);
    let timeout = time("timeout", spec.timeout.as_ref(), TIMEOUT, Duration::from_millis(1));
    Some(HealthCheck {
        port: spec.port,
        probe,
        interval: interval?,
        timeout: timeout?,
        healthy_threshold: spec.healthy_threshold.unwrap_or(HEALTHY),
        unhealthy_threshold: spec.unhealthy_threshold.unwrap_or(UNHEALTHY),
        panic_threshold: spec.panic_threshold.unwrap_or(PANIC),
    })
}

fn probe(document: &Document, http: &Http, scope: &mut Scope<'_>) -> Option<Probe> {
    if PathAndQuery::try_from(http.path.as_str()).is_err() || http.path.contains('#') {
        let message = format!("`{}` is not a path and query", http.path);
        scope.error(document, codes::POLICY_VALUE, "/spec/http/path", message, Some("write one such as /healthz"));
        return None;
    }
    if http.host.as_deref().is_some_and(|host| host.parse::<http::uri::Authority>().is_err()) {
        let message = "the host is not a name with an optional port".to_owned();
        scope.error(document, codes::POLICY_VALUE, "/spec/http/host", message, Some("write one such as shop:8080"));
        return None;
    }
    let Some(written) = &http.expected_statuses else {
        let expected = vec![(200, 299)];
        return Some(Probe::Http { path: http.path.clone(), authority: http.host.clone(), expected });
    };
    let mut expected = Vec::new();
    for (index, status) in written.iter().enumerate() {
        let range = match status {
            Expected::Status(status) => Some((*status, *status)),
            Expected::Range(text) => text
                .split_once('-')
                .and_then(|(first, last)| Some((first.parse::<u16>().ok()?, last.parse::<u16>().ok()?)))
                .filter(|(first, last)| first <= last),
        };
        let Some(range) = range else {
            let message = "the range ends before it begins".to_owned();
            let place = item("/spec/http/expectedStatuses", index);
            scope.error(document, codes::POLICY_VALUE, &place, message, Some("write one such as 200-299"));
            return None;
        };
        expected.push(range);
    }
    Some(Probe::Http { path: http.path.clone(), authority: http.host.clone(), expected })
}

fn report_unknown(document: &Document, host: &str, scope: &mut Scope<'_>) {
    let close = nearest(host, scope.registry.services().map(|service| service.name.as_str()));
    let help = close.map_or_else(|| "the check has no effect".into(), |close| format!("did you mean `{close}`?"));
    let message = format!("no service is called `{host}`");
    scope.warn(document, codes::RULE_WITHOUT_SERVICE, "/spec/host", message, Some(&help));
}
