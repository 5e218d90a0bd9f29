//! `sluice get`: lists of what a running instance has.

mod overload;

use super::exit::{Failure, Verdict};
use super::explain::instance;
use super::print;
use crate::args::{Format, Get, GetEndpoints};
use sluicegate::admin::AdminClient;
use sluicegate::admin::endpoints::EndpointStatus;

/// Prints a list.
pub(crate) fn get(get: Get) -> Result<Verdict, Failure> {
    match get {
        Get::Endpoints(endpoints) => show_endpoints(&endpoints),
        Get::Overload(overload) => overload::show(&overload),
    }
}

fn show_endpoints(get: &GetEndpoints) -> Result<Verdict, Failure> {
    let mut endpoints = AdminClient::new(instance(Some(&get.ask.admin))?).endpoints()?;
    if let Some(wanted) = &get.service {
        let wanted = wanted.to_ascii_lowercase();
        let named = |name: &str| name == wanted || name.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('.'));
        endpoints.retain(|endpoint| named(&endpoint.service));
        if endpoints.is_empty() {
            return Err(anyhow::anyhow!("the instance has no endpoint of a service `{wanted}`").into());
        }
    }
    match get.ask.output {
        Format::Json => print::json(&endpoints)?,
        Format::Table => print::text(&table(&endpoints))?,
    }
    Ok(if endpoints.iter().all(|endpoint| endpoint.state.is_in()) { Verdict::Fine } else { Verdict::Findings })
}

/// Its own address first.
fn addresses(endpoint: &EndpointStatus) -> String {
    let all = std::iter::once(&endpoint.address).chain(&endpoint.alternatives);
    all.map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn table(endpoints: &[EndpointStatus]) -> String {
    if endpoints.is_empty() {
        return "no endpoints\n".into();
    }
    let row = |endpoint: &EndpointStatus| {
        let labels: Vec<String> = endpoint.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let returns = endpoint.returns_in.map(|milliseconds| format!(", back in {} s", milliseconds.div_ceil(1000)));
        vec![
            endpoint.service.clone(),
            endpoint.port.map_or_else(|| "any".into(), |port| port.to_string()),
            addresses(endpoint),
            endpoint.weight.to_string(),
            endpoint.state.as_str().into(),
            endpoint.active.map_or_else(|| "-".into(), |active| active.to_string()),
            endpoint.ejections.to_string(),
            or_dash(&endpoint.subsets.join(",")),
            or_dash(&labels.join(",")),
            endpoint.reason.clone().unwrap_or_default() + &returns.unwrap_or_default(),
        ]
    };
    let headings =
        ["SERVICE", "PORT", "ADDRESS", "WEIGHT", "STATE", "ACTIVE", "EJECTIONS", "SUBSETS", "LABELS", "REASON"];
    print::table(&headings, &endpoints.iter().map(row).collect::<Vec<_>>())
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".into() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::admin::endpoints::EndpointCondition;

    #[test]
    fn the_table_says_why_an_endpoint_is_out() {
        let endpoint = EndpointStatus {
            service: "shop.default.svc.cluster.local".into(),
            port: Some(80),
            address: "10.0.0.1:8080".parse().unwrap(),
            alternatives: Vec::new(),
            weight: 3,
            labels: [("version".to_owned(), "v1".to_owned())].into(),
            subsets: vec!["v1".into()],
            state: EndpointCondition::Ejected,
            reason: Some("too many 5xx responses in a row".into()),
            returns_in: Some(1_500),
            active: None,
            ejections: 2,
        };
        let text = table(&[endpoint]);
        let line = text.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let expected = "shop.default.svc.cluster.local 80 10.0.0.1:8080 3 ejected - 2 v1 version=v1 too many 5xx \
                        responses in a row, back in 2 s";
        assert_eq!(line, expected);
        assert_eq!(table(&[]), "no endpoints\n");
    }
}
