//! Who gets a copy of a request.

mod support;

use sluicegate_sdk::Destination;
use support::{forwarded, get, router, shop};

fn mirroring(fields: &str) -> sluicegate_router::Router {
    router(&shop(&format!("- route: [{{destination: {{host: stock}}}}]\n{fields}")))
}

/// How many of 1000 requests are copied.
fn copied(fields: &str) -> usize {
    let router = mirroring(fields);
    let request = |id: u32| get("/").attribute("request.id", &format!("{id:032x}"));
    (0..1000).map(|id| forwarded(&router, &request(id)).mirrors.len()).sum()
}

#[test]
fn a_copy_goes_to_the_mirror_under_a_shadow_of_the_host() {
    let router = mirroring("  mirror: {host: audit, port: {number: 8080}, subset: v2}");
    let mirrors = forwarded(&router, &get("/").authority("shop:80")).mirrors;
    let [copy] = mirrors.as_slice() else { panic!("{mirrors:?}") };
    assert_eq!(copy.destination, Destination::new("audit.default.svc.cluster.local").port(8080).subset("v2"));
    assert_eq!(copy.authority.as_deref(), Some("shop-shadow:80"));
}

#[test]
fn the_host_of_a_copy_is_the_rewritten_one() {
    let shadow = |fields: &str| {
        forwarded(&mirroring(&format!("  mirror: {{host: audit}}\n{fields}")), &get("/")).mirrors[0].authority.clone()
    };
    assert_eq!(shadow("  timeout: 1s").as_deref(), Some("shop-shadow"));
    assert_eq!(shadow("  rewrite: {authority: 'new:81'}").as_deref(), Some("new-shadow:81"));
    assert_eq!(shadow("  headers: {request: {set: {host: other}}}").as_deref(), Some("other-shadow"));
}

#[test]
fn a_share_of_the_requests_is_copied() {
    assert_eq!(copied("  mirror: {host: a}"), 1000);
    assert_eq!(copied("  mirror: {host: a}\n  mirrorPercentage: {value: 0}"), 0);
    assert_eq!(copied("  mirror: {host: a}\n  mirrorPercentage: {}"), 0);
    assert_eq!(copied("  mirrorPercentage: {value: 100}"), 0);
    let half = copied("  mirror: {host: a}\n  mirrorPercentage: {value: 50}");
    assert!((440..560).contains(&half), "{half}");
    let tenth = copied("  mirror: {host: a}\n  mirrorPercent: 10");
    assert!((60..140).contains(&tenth), "{tenth}");
    let beaten = copied("  mirror: {host: a}\n  mirrorPercent: 0\n  mirrorPercentage: {value: 100}");
    assert_eq!(beaten, 1000);
}

#[test]
fn several_mirrors_have_shares_of_their_own() {
    let two = "  mirrors:\n  - {destination: {host: a}}\n  - {destination: {host: b}, percentage: {value: 50}}";
    let router = mirroring(two);
    let (mut second, mut both) = (0, 0);
    let three = mirroring(&format!("{two}\n  - {{destination: {{host: c}}, percentage: {{value: 50}}}}"));
    for id in 0..1000_u32 {
        let request = get("/").attribute("request.id", &format!("{id:032x}"));
        let mirrors = forwarded(&router, &request).mirrors;
        assert!(mirrors[0].destination.host.starts_with("a."));
        second += mirrors.len() - 1;
        both += usize::from(forwarded(&three, &request).mirrors.len() == 3);
    }
    assert!((440..560).contains(&second), "{second}");
    assert!((190..310).contains(&both), "{both}");
}
