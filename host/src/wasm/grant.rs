//! Where a filter may send requests and events: the destinations and channels that its decisions may name.
//!
//! A pattern is a name in which `*` stands for any characters but those that separate parts of a name (`.` of a service, `/`
//! of a channel), so `inventory-*` is never `inventory-1.elsewhere.example`. `*` alone is every name.

use super::bound::Bound;
use super::failure::Failure;
use std::sync::Arc;

/// Names as patterns, as an operator has written them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenGrants {
    /// Services that requests, their copies and connections may be sent to.
    pub forward: Vec<String>,
    /// Services that plans may call.
    pub call: Vec<String>,
    /// Channels that events may be published to.
    pub publish: Vec<String>,
}

/// What the names of patterns mean: those without a namespace are in this one.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The namespace of names that give none.
    pub namespace: &'a str,
    /// What full names of services end in.
    pub cluster_domain: &'a str,
}

/// Where a filter may reach. `Default` is nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    forward: Reach,
    call: Reach,
    publish: Reach,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    Everything,
    Only(Arc<[Pattern]>),
}

impl Default for Reach {
    fn default() -> Self {
        Self::Only(Arc::default())
    }
}

/// Every way to write a name that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    written: String,
    ways: Vec<String>,
    separator: u8,
}

impl Grants {
    /// Every service and channel: for filters that come with the proxy.
    pub fn everything() -> Self {
        Self { forward: Reach::Everything, call: Reach::Everything, publish: Reach::Everything }
    }

    /// What an operator has written.
    pub fn of(written: &WrittenGrants, scope: Scope<'_>) -> Self {
        let services = |names: &[String]| Reach::of(names, |name| Pattern::service(name, scope));
        Self {
            forward: services(&written.forward),
            call: services(&written.call),
            publish: Reach::of(&written.publish, |name| Pattern::channel(name, scope)),
        }
    }

    /// Whether all that this pattern of a manifest stands for is granted: it is one of the patterns, or a name that one of
    /// them stands for.
    pub fn covers(&self, bound: Bound, wanted: &str, scope: Scope<'_>) -> bool {
        let wanted = match bound {
            Bound::Publish => Pattern::channel(wanted, scope),
            _ => Pattern::service(wanted, scope),
        };
        match self.reach(bound) {
            Some(Reach::Everything) => true,
            Some(Reach::Only(patterns)) if wanted.written.contains('*') => {
                patterns.iter().any(|pattern| pattern.ways == wanted.ways)
            }
            Some(Reach::Only(patterns)) => {
                wanted.ways.first().is_some_and(|name| patterns.iter().any(|pattern| pattern.matches(name)))
            }
            None => false,
        }
    }

    /// Whether a decision may name this; `bound` is [`Bound::Forward`], [`Bound::Call`] or [`Bound::Publish`].
    pub fn allows(&self, bound: Bound, name: &str) -> bool {
        match self.reach(bound) {
            Some(Reach::Everything) => true,
            Some(Reach::Only(patterns)) => patterns.iter().any(|pattern| pattern.matches(name)),
            None => false,
        }
    }

    /// What is granted, as it was written.
    pub fn names(&self, bound: Bound) -> Vec<String> {
        match self.reach(bound) {
            Some(Reach::Everything) => vec!["*".into()],
            Some(Reach::Only(patterns)) => patterns.iter().map(|pattern| pattern.written.clone()).collect(),
            None => Vec::new(),
        }
    }

    fn reach(&self, bound: Bound) -> Option<&Reach> {
        match bound {
            Bound::Forward => Some(&self.forward),
            Bound::Call => Some(&self.call),
            Bound::Publish => Some(&self.publish),
            _ => None,
        }
    }

    /// The same with the reason.
    pub(super) fn check(&self, bound: Bound, name: &str) -> Result<(), Failure> {
        if self.allows(bound, name) { Ok(()) } else { Err(Failure::not_granted(bound, name)) }
    }
}

impl Reach {
    fn of(names: &[String], pattern: impl Fn(&str) -> Pattern) -> Self {
        if names.iter().any(|name| name == "*") {
            return Self::Everything;
        }
        Self::Only(names.iter().map(|name| pattern(name)).collect())
    }
}

impl Pattern {
    /// A service, which can be written with and without the domain of the cluster and the namespace of the proxy.
    fn service(written: &str, scope: Scope<'_>) -> Self {
        let Scope { namespace, cluster_domain } = scope;
        let bare = !written.contains('.') && written.parse::<std::net::IpAddr>().is_err();
        let full = if bare { format!("{written}.{namespace}.svc.{cluster_domain}") } else { written.to_owned() };
        let mut ways = vec![full.clone()];
        let qualified = full.strip_suffix(cluster_domain).and_then(|name| name.strip_suffix(".svc."));
        let qualified = qualified.or_else(|| full.strip_suffix(".svc")).or_else(|| {
            // `NAME.NAMESPACE`, which is a service of the cluster as well as any other name of two parts.
            Some(full.as_str()).filter(|full| full.matches('.').count() == 1)
        });
        if let Some(qualified) = qualified {
            let own = qualified.strip_suffix(namespace).and_then(|name| name.strip_suffix('.'));
            ways.extend(own.filter(|name| !name.contains('.')).map(str::to_owned));
            ways.extend([
                qualified.to_owned(),
                format!("{qualified}.svc"),
                format!("{qualified}.svc.{cluster_domain}"),
            ]);
        }
        ways.sort();
        ways.dedup();
        Self { written: written.to_owned(), ways, separator: b'.' }
    }

    /// A channel, `NAMESPACE/NAME`.
    fn channel(written: &str, scope: Scope<'_>) -> Self {
        let namespace = scope.namespace;
        let full = if written.contains('/') { written.to_owned() } else { format!("{namespace}/{written}") };
        Self { written: written.to_owned(), ways: vec![full], separator: b'/' }
    }

    fn matches(&self, name: &str) -> bool {
        self.ways.iter().any(|way| matches(way.as_bytes(), name.as_bytes(), self.separator))
    }
}

/// Whether a name is one that the pattern stands for; letters count the same in either case, as in names of hosts. On a
/// mismatch the last `*` takes one character more, so it takes no more steps than the product of both lengths.
fn matches(pattern: &[u8], name: &[u8], separator: u8) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), name.get(seen)) {
            (Some(b'*'), _) => {
                star = Some((at + 1, seen));
                at += 1;
            }
            (Some(one), Some(other)) if one.eq_ignore_ascii_case(other) => (at, seen) = (at + 1, seen + 1),
            (None, None) => return true,
            _ => {
                let Some((after, taken)) = star else { return false };
                match name.get(taken) {
                    Some(byte) if *byte != separator => {
                        star = Some((after, taken + 1));
                        (at, seen) = (after, taken + 1);
                    }
                    _ => return false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope<'static> = Scope { namespace: "default", cluster_domain: "cluster.local" };

    fn granted(names: &[&str]) -> Grants {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Grants::of(&WrittenGrants { forward: names.clone(), call: names.clone(), publish: names }, SCOPE)
    }

    #[test]
    fn nothing_is_reached_without_a_grant_and_everything_with_a_star() {
        for bound in [Bound::Forward, Bound::Call, Bound::Publish] {
            assert!(!Grants::default().allows(bound, "inventory"), "{bound}");
            assert!(!granted(&[]).allows(bound, ""), "{bound}");
            assert!(granted(&["a", "*"]).allows(bound, "any/thing.at-all"), "{bound}");
            assert!(Grants::everything().allows(bound, "anything"), "{bound}");
        }
        assert!(!Grants::everything().allows(Bound::Memory, "anything"), "only what can be named is granted");
    }

    #[test]
    fn a_service_is_the_same_however_its_name_is_written() {
        let ways = [
            "inventory",
            "Inventory",
            "inventory.default",
            "inventory.default.svc",
            "inventory.default.svc.cluster.local",
        ];
        for granted_as in ways {
            for named in ways {
                assert!(granted(&[granted_as]).allows(Bound::Call, named), "{granted_as} is {named}");
            }
            for other in
                ["inventory.other", "inventory2", "inventor", "inventory.default.svc.example.com", "a.inventory"]
            {
                assert!(!granted(&[granted_as]).allows(Bound::Call, other), "{granted_as} is not {other}");
            }
        }
    }

    #[test]
    fn a_star_takes_characters_of_one_part_of_a_name() {
        let grants = granted(&["inventory-*", "*.shop", "api-*-v*"]);
        for name in ["inventory-", "inventory-eu", "inventory-eu.default.svc.cluster.local", "cart.shop", "api-a-v-v2"]
        {
            assert!(grants.allows(Bound::Forward, name), "{name}");
        }
        for name in ["inventory", "inventory-eu.evil", "inventory-eu.evil.example.com", "cart.shop.evil", "a.b.shop"] {
            assert!(!grants.allows(Bound::Forward, name), "{name}");
        }
    }

    #[test]
    fn a_channel_without_a_namespace_is_in_that_of_the_proxy() {
        let grants = granted(&["orders", "audit/*"]);
        for name in ["default/orders", "audit/log"] {
            assert!(grants.allows(Bound::Publish, name), "{name}");
        }
        for name in ["orders", "other/orders", "default/orders2", "audit/a/b", "default/audit"] {
            assert!(!grants.allows(Bound::Publish, name), "{name}");
        }
    }

    #[test]
    fn a_wish_is_covered_by_the_same_pattern_or_one_that_takes_its_name() {
        let grants = granted(&["inventory-*", "orders"]);
        for wanted in ["inventory-*", "inventory-eu", "orders", "orders.default"] {
            assert!(grants.covers(Bound::Call, wanted, SCOPE), "{wanted}");
        }
        for wanted in ["*", "inventory*", "orders-*", "orders.other"] {
            assert!(!grants.covers(Bound::Call, wanted, SCOPE), "{wanted}");
        }
        assert!(
            grants.covers(Bound::Publish, "default/orders", SCOPE) && grants.covers(Bound::Publish, "orders", SCOPE)
        );
        assert!(
            Grants::everything().covers(Bound::Publish, "*", SCOPE)
                && !Grants::default().covers(Bound::Call, "a", SCOPE)
        );
        assert_eq!(grants.names(Bound::Call), ["inventory-*", "orders"]);
        assert_eq!(Grants::everything().names(Bound::Call), ["*"]);
    }

    #[test]
    fn a_pattern_of_stars_takes_no_longer_than_both_lengths_allow() {
        let (pattern, name) = ("*a".repeat(120), "a".repeat(240) + "b");
        assert!(!granted(&[&pattern]).allows(Bound::Forward, &name));
    }
}
