//! Services that get a copy of a rule's requests.

use crate::code;
use crate::config::HttpRoute;
use crate::host;
use crate::report::{Place, Report};
use crate::rewrite::is_authority;
use crate::share::Share;
use crate::target::{self, Naming};
use crate::view::View;
use sluicegate_sdk::{Destination, Mirror as Copy};

/// The most that the host sends copies to.
pub const MOST: usize = 8;
/// What Istio puts behind the host of a copy, so that a service can tell it apart.
const SHADOW: &str = "-shadow";

/// A service and its share.
#[derive(Debug)]
pub struct Mirror {
    /// The service.
    pub destination: Destination,
    /// Of the rule's requests.
    pub share: Share,
    /// Tells its draws from those of others.
    salt: String,
}

impl Mirror {
    /// A service that gets a share of the copies; `salt` tells its draws from those of others.
    pub fn new(destination: Destination, share: Share, salt: String) -> Self {
        Self { destination, share, salt }
    }

    /// Whether a request is copied.
    pub fn takes(&self, view: &View<'_>) -> bool {
        self.share.takes(&self.salt, view)
    }

    /// The copy of a request that is sent with this authority.
    pub fn copy(&self, authority: &str) -> Copy {
        Copy { destination: self.destination.clone(), authority: shadow(authority) }
    }
}

/// Resolves `mirror` or `mirrors` of the rule at `place`, and what they are limited by.
pub fn resolve(rule: &HttpRoute, naming: Naming<'_>, place: &Place, report: &mut Report<'_>) -> Vec<Mirror> {
    let mut mirrors = Vec::new();
    let share = single_share(rule, place, report);
    if let Some(written) = &rule.mirror {
        let destination = target::destination(written, naming, &place.key("mirror"), report);
        mirrors.extend(destination.map(|destination| Mirror { destination, share, salt: "mirror".to_owned() }));
    }
    for (index, written) in rule.mirrors.iter().enumerate() {
        let place = place.key("mirrors").index(index);
        let destination = target::required(written.destination.as_ref(), naming, &place, report);
        let share = Share::of_mirror(written.percentage.as_ref(), &place.key("percentage"), report);
        let salt = format!("mirrors.{index}");
        mirrors.extend(destination.map(|destination| Mirror { destination, share, salt }));
    }
    if rule.mirrors.len() > MOST {
        let message = format!("{} mirrors are more than {MOST}", rule.mirrors.len());
        report.error(&place.key("mirrors"), code::POLICY_VALUE, message, "let one service hand the copies on");
    }
    mirrors
}

/// The share of `mirror`: `mirrorPercentage`, or else the deprecated `mirrorPercent`, or else all.
fn single_share(rule: &HttpRoute, place: &Place, report: &mut Report<'_>) -> Share {
    let whole = rule.mirror_percent.map(|percent| {
        let place = place.key("mirrorPercent");
        report.warning(&place, code::DEPRECATED, "`mirrorPercent` is deprecated", "use `mirrorPercentage.value`");
        Share::whole(percent, &place, report)
    });
    match (&rule.mirror_percentage, whole) {
        (None, Some(whole)) => whole,
        (percentage, _) => Share::of_mirror(percentage.as_ref(), &place.key("mirrorPercentage"), report),
    }
}

/// `shop:80` becomes `shop-shadow:80`. An address in brackets can have nothing behind it and stays.
fn shadow(authority: &str) -> Option<String> {
    let host = host::without_port(authority);
    let port = authority.get(host.len()..).unwrap_or_default();
    let shadow = format!("{host}{SHADOW}{port}");
    (!host.is_empty() && !host.starts_with('[') && is_authority(&shadow)).then_some(shadow)
}

#[cfg(test)]
mod tests {
    use super::shadow;

    #[test]
    fn the_host_of_a_copy_has_a_shadow_before_its_port() {
        for (authority, expected) in [
            ("shop", Some("shop-shadow")),
            ("shop.example:8080", Some("shop.example-shadow:8080")),
            ("10.0.0.1:80", Some("10.0.0.1-shadow:80")),
            ("[::1]:80", None),
            ("", None),
        ] {
            assert_eq!(shadow(authority).as_deref(), expected, "{authority}");
        }
    }
}
