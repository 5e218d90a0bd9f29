//! Where a rule sends requests: one service, one of several by weight, or several to compose.

use crate::answer::FixedAnswer;
use crate::code;
use crate::config::{Destination as WrittenDestination, PortSelector, RouteDestination};
use crate::header::{Level, Operations};
use crate::host;
use crate::mirror::Mirror;
use crate::redirect::Redirect;
use crate::report::{Place, Report};
use crate::rewrite::Rewrite;
use crate::share::draw;
use crate::template::Template;
use serde_json::json;
use sluicegate_sdk::{Destination, Environment};
use std::collections::BTreeMap;

/// A service and what is edited on the way to it, the rule's own operations included.
#[derive(Debug)]
pub struct Target {
    /// The service.
    pub destination: Destination,
    /// Its share.
    pub weight: u64,
    /// On the request.
    pub request: Vec<Operations>,
    /// On the response.
    pub response: Vec<Operations>,
    /// The new authority.
    pub authority: Option<Template>,
    /// What changes before, in place of what the rule says, with which it has been merged.
    pub rewrite: Option<Rewrite>,
    /// Who gets copies of the requests to this service only.
    pub mirrors: Vec<Mirror>,
    /// What becomes of the request where it is not sent.
    pub instead: Option<Box<Instead>>,
}

/// What becomes of a share of the requests that goes to no service.
#[derive(Debug)]
pub enum Instead {
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// It is answered here.
    Answer(FixedAnswer),
}

impl Target {
    /// A service and its share, and nothing else.
    pub fn new(destination: Destination, weight: u64) -> Self {
        let (request, response) = (Vec::new(), Vec::new());
        let (authority, rewrite, instead) = (None, None, None);
        Self { destination, weight, request, response, authority, rewrite, mirrors: Vec::new(), instead }
    }
}

/// All the places a rule sends requests to.
#[derive(Debug)]
pub enum Targets {
    /// One of these, by weight; the sum is not 0.
    Split(Vec<Target>, u64),
    /// All of them: what the composer is told, and the rule's own edits.
    Compose {
        /// The value of `compose.destinations`.
        destinations: String,
        /// The same as people read it.
        labels: String,
        /// On the request.
        request: Operations,
        /// On the response.
        response: Operations,
        /// The new authority.
        authority: Option<Template>,
    },
}

impl Targets {
    /// The target of a request, which its id alone decides, so that the same request always gets the same one.
    pub fn pick<'a>(targets: &'a [Target], sum: u64, id: &str) -> Option<&'a Target> {
        let mut point = if targets.len() > 1 { draw("", id) % sum.max(1) } else { 0 };
        targets.iter().find(|target| {
            let inside = point < target.weight;
            point = point.saturating_sub(target.weight);
            inside
        })
    }
}

/// What the destinations of a document are resolved with.
#[derive(Debug, Clone, Copy)]
pub struct Naming<'a> {
    /// Stands in for what names leave out.
    pub environment: &'a Environment,
    /// The document's namespace.
    pub namespace: &'a str,
}

/// Resolves the `route` list of a rule, whose own header operations are `rule`; `place` is where the list stands.
pub fn resolve(
    written: &[RouteDestination],
    rule: &Level,
    naming: Naming<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<Targets> {
    let weights = weights(written, place, report);
    let mut resolved = Vec::new();
    for (index, entry) in written.iter().enumerate() {
        let place = place.index(index);
        let destination = required(entry.destination.as_ref(), naming, &place, report);
        let level = Level::resolve(entry.headers.as_ref(), &place.key("headers"), report);
        resolved.extend(destination.map(|destination| (index, destination, level)));
    }
    match weights? {
        Weights::None => {
            note_composition(written.len(), place, report);
            Some(compose(written, resolved, rule, place, report))
        }
        Weights::Shares(shares) => Some(split(resolved, &shares, rule)),
    }
}

enum Weights {
    /// Several destinations and not one weight.
    None,
    Shares(Vec<u64>),
}

fn weights(written: &[RouteDestination], place: &Place, report: &mut Report<'_>) -> Option<Weights> {
    let mut shares = Vec::new();
    for (index, entry) in written.iter().enumerate() {
        let weight = entry.weight.unwrap_or(0);
        // Istio's field is an int32: a larger weight is as wrong as a negative one.
        if let Some(weight) = u32::try_from(weight).ok().filter(|&weight| i32::try_from(weight).is_ok()) {
            shares.push(u64::from(weight));
        } else {
            let message = format!("{weight} is not a weight");
            report.error(&place.index(index).key("weight"), code::WEIGHT, message, "use 0 or a positive number");
        }
    }
    if shares.len() < written.len() {
        return None;
    }
    if written.len() == 1 {
        // One destination gets everything, whatever its weight.
        return Some(Weights::Shares(vec![1]));
    }
    if written.iter().all(|entry| entry.weight.is_none()) {
        return Some(Weights::None);
    }
    if shares.iter().sum::<u64>() == 0 {
        let help = "give at least one destination a weight above 0; leave all weights out to compose the answers";
        report.error(place, code::WEIGHT, "total destination weight = 0", help);
        return None;
    }
    Some(Weights::Shares(shares))
}

fn note_composition(count: usize, place: &Place, report: &mut Report<'_>) {
    let message =
        format!("{count} destinations without any weight: all are called and their answers are composed into one");
    let help = "Istio refuses such a file (\"total destination weight = 0\"); give the destinations weights to split \
                the requests between them instead";
    report.note(place, code::COMPOSITION, message, help);
}

type Resolved = (usize, Destination, Level);

/// Shares out requests. With one destination written, its operations follow the rule's and win; with several, the rule's
/// follow and win: both as Istio does.
fn split(resolved: Vec<Resolved>, shares: &[u64], rule: &Level) -> Targets {
    let single = shares.len() == 1;
    let weighted = resolved.into_iter().filter_map(|(index, destination, level)| {
        let weight = shares.get(index).copied().filter(|&weight| weight > 0)?;
        let order = |own: &Operations, of_rule: &Operations| {
            let mut order = if single { vec![of_rule.concatenated(own)] } else { vec![own.clone(), of_rule.clone()] };
            // Thousands of resources have thousands of these, and most change nothing.
            order.retain(|operations| !operations.is_empty());
            order.shrink_to_fit();
            order
        };
        Some(Target {
            request: order(&level.request, &rule.request),
            response: order(&level.response, &rule.response),
            authority: rule.authority.clone().or(level.authority),
            ..Target::new(destination, weight)
        })
    });
    let mut targets: Vec<Target> = weighted.collect();
    targets.shrink_to_fit();
    let sum = targets.iter().map(|target| target.weight).sum();
    Targets::Split(targets, sum)
}

fn compose(
    written: &[RouteDestination],
    resolved: Vec<Resolved>,
    rule: &Level,
    place: &Place,
    report: &mut Report<'_>,
) -> Targets {
    for (index, _, level) in &resolved {
        if !level.is_empty() {
            let happens = "a composed call carries the headers of the request, with the rule's own operations";
            report.no_effect(&place.index(*index).key("headers"), "headers", happens);
        }
    }
    let short_name = |index: usize| {
        let host =
            written.get(index).and_then(|entry| entry.destination.as_ref()).map_or("", |found| found.host.as_str());
        let label = if host::is_address(host) { host } else { host.split('.').next().unwrap_or(host) };
        label.to_ascii_lowercase()
    };
    let named: Vec<(String, Destination)> =
        resolved.into_iter().map(|(index, destination, _)| (short_name(index), destination)).collect();
    Targets::Compose {
        destinations: composed_names(&named),
        labels: named.iter().map(|(_, destination)| label(destination)).collect::<Vec<_>>().join(" and "),
        request: rule.request.clone(),
        response: rule.response.clone(),
        authority: rule.authority.clone(),
    }
}

/// What the composer reads. Different services of one short name get names that tell them apart.
fn composed_names(named: &[(String, Destination)]) -> String {
    let mut uses: BTreeMap<&str, Vec<&Destination>> = BTreeMap::new();
    for (name, destination) in named {
        let known = uses.entry(name).or_default();
        if !known.contains(&destination) {
            known.push(destination);
        }
    }
    let unique = |name: &String, destination: &Destination| match uses.get(name.as_str()) {
        Some(services) if services.len() > 1 => label(destination),
        _ => name.clone(),
    };
    let entry = |(name, destination): &(String, Destination)| {
        json!({
            "name": unique(name, destination),
            "host": destination.host,
            "port": destination.port,
            "subset": destination.subset,
        })
    };
    serde_json::Value::Array(named.iter().map(entry).collect()).to_string()
}

/// `HOST`, `HOST:PORT`, either with `/SUBSET`: how people read a destination.
pub fn label(destination: &Destination) -> String {
    let port = destination.port.map_or_else(String::new, |port| format!(":{port}"));
    let subset = destination.subset.as_ref().map_or_else(String::new, |subset| format!("/{subset}"));
    format!("{}{port}{subset}", destination.host)
}

/// A destination that must be there, at the member `destination` of `place`.
pub fn required(
    written: Option<&WrittenDestination>,
    naming: Naming<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<Destination> {
    let Some(written) = written else {
        report.error(place, code::DESTINATION, "the entry has no destination", "add `destination.host`");
        return None;
    };
    destination(written, naming, &place.key("destination"), report)
}

/// Resolves a destination that stands at `place`.
pub fn destination(
    written: &WrittenDestination,
    naming: Naming<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<Destination> {
    let port = written.port.as_ref().map(|port| port_number(port, &place.key("port"), report));
    let wrong = match host::check(&written.host) {
        Err(reason) => Some(reason),
        Ok(()) if written.host == "*" => Some("names no service"),
        Ok(()) => None,
    };
    if let Some(reason) = wrong {
        let message = format!("destination host `{}` {reason}", written.host);
        report.error(
            &place.key("host"),
            code::DESTINATION,
            message,
            "name one service, such as reviews or reviews.shop",
        );
        return None;
    }
    if written.host.starts_with('*') {
        let message = format!("destination host `{}` is a wildcard: no service has that name", written.host);
        let help = "name one service; requests for this one are answered as for every unknown service";
        report.warning(&place.key("host"), code::DESTINATION, message, help);
    }
    let host = naming.environment.full_name(&written.host, naming.namespace);
    let subset = written.subset.clone().filter(|subset| !subset.is_empty());
    match port {
        Some(None) => None,
        port => Some(Destination { host, port: port.flatten(), subset }),
    }
}

fn port_number(written: &PortSelector, place: &Place, report: &mut Report<'_>) -> Option<u16> {
    let port = written.number.and_then(|number| u16::try_from(number).ok()).filter(|&port| port > 0);
    if port.is_none() {
        let found = written.number.map_or_else(|| "no number".to_owned(), |number| number.to_string());
        let message = format!("the port has {found}");
        report.error(place, code::DESTINATION, message, "write `number: ` and a port from 1 to 65535");
    }
    port
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, weight: u64) -> Target {
        Target::new(host.into(), weight)
    }

    #[test]
    fn requests_are_shared_out_by_weight() {
        for weights in [[50, 25, 25], [80, 10, 10], [1, 1, 2]] {
            let targets: Vec<Target> = weights.iter().map(|&weight| target("a", weight)).collect();
            let sum: u64 = weights.iter().sum();
            let mut counts = [0_u64; 3];
            for id in 0..10_000_u32 {
                let picked = Targets::pick(&targets, sum, &format!("{id:032x}")).expect("one is picked");
                let index = targets.iter().position(|target| std::ptr::eq(target, picked)).expect("it is one of them");
                counts[index] += 1;
            }
            for (count, weight) in counts.iter().zip(weights) {
                let expected = weight * 10_000 / sum;
                assert!(count.abs_diff(expected) < 200, "{count} of 10,000 for weight {weight} of {sum}");
            }
        }
    }

    #[test]
    fn the_same_request_always_gets_the_same_target() {
        let targets = [target("a", 50), target("b", 50)];
        let picked =
            || Targets::pick(&targets, 100, "4bf92f3577b34da6a3ce929d0e0e4736").map(|target| &target.destination);
        assert!((0..100).all(|_| picked() == picked()));
        assert!(picked().is_some());
    }

    #[test]
    fn services_of_one_short_name_are_told_apart() {
        let shop = |host: &str| ("shop".to_owned(), Destination::new(host).port(80));
        let names =
            composed_names(&[shop("shop.a"), shop("shop.b"), ("stock".to_owned(), Destination::new("stock.a"))]);
        assert_eq!(
            names,
            r#"[{"name":"shop.a:80","host":"shop.a","port":80,"subset":null},{"name":"shop.b:80","host":"shop.b","port":80,"subset":null},{"name":"stock","host":"stock.a","port":null,"subset":null}]"#
        );
    }
}
