//! The `loadBalancer` of a traffic policy.

use super::super::codes;
use super::resolve::Place;
use super::written::{ConsistentHash, Cookie, LoadBalancer, Simple};
use crate::upstream::policy::{self, Balancing, HashKey, HashTable, Warmup};
use http::HeaderName;
use std::time::Duration;

/// Points of a ring unless the rule says more.
const RING: u64 = 1024;
/// The largest ring, which is Envoy's: at 16 bytes a point it takes 128 MiB.
const LARGEST_RING: u64 = 8 << 20;
/// Slots of a table unless the rule says more or less; a prime, as all sizes have to be.
const TABLE: u64 = 65_537;
/// The largest table, which is Envoy's.
const LARGEST_TABLE: u64 = 5_000_011;

pub(super) fn resolve(written: &LoadBalancer, place: &mut Place<'_, '_>) -> (Balancing, Option<Warmup>) {
    if written.locality_lb_setting.is_some() {
        let help = "endpoints are chosen without regard to where they are";
        let message = "`localityLbSetting` has no effect";
        place.field("localityLbSetting").warn(codes::POLICY_WITHOUT_EFFECT, message, help);
    }
    let simple = written.simple.filter(|simple| *simple != Simple::Unspecified);
    let warmup = warmup(written, place);
    let balancing = match (simple, &written.consistent_hash) {
        (Some(_), Some(_)) => {
            let message = "`simple` and `consistentHash` exclude each other";
            place.field("consistentHash").error(codes::POLICY_FIELDS, message, "remove one of the two");
            Balancing::default()
        }
        (None, Some(hash)) => consistent(hash, &mut place.field("consistentHash")).unwrap_or_default(),
        (Some(Simple::RoundRobin), None) => Balancing::RoundRobin,
        (Some(Simple::Random), None) => Balancing::Random,
        (Some(Simple::Passthrough), None) => {
            let help =
                "it sends requests where the client was going, which this proxy does not know; LEAST_REQUEST is used";
            place.field("simple").warn(codes::POLICY_WITHOUT_EFFECT, "PASSTHROUGH has no effect", help);
            Balancing::LeastRequest
        }
        _ => Balancing::LeastRequest,
    };
    if warmup.is_some() && !matches!(balancing, Balancing::RoundRobin | Balancing::LeastRequest) {
        let help = "new endpoints warm up with ROUND_ROBIN and LEAST_REQUEST only";
        place.field("warmup").warn(codes::POLICY_WITHOUT_EFFECT, "`warmup` has no effect", help);
    }
    (balancing, warmup)
}

fn warmup(written: &LoadBalancer, place: &mut Place<'_, '_>) -> Option<Warmup> {
    let least = Duration::from_millis(1);
    let Some(warmup) = &written.warmup else {
        let duration = place.duration("warmupDurationSecs", written.warmup_duration_secs.as_ref(), least)?;
        return Some(Warmup { duration, minimum_percent: 10.0, aggression: 1.0 });
    };
    Some(Warmup {
        duration: place.field("warmup").duration("duration", warmup.duration.as_ref(), least)?,
        minimum_percent: warmup.minimum_percent.unwrap_or(10.0),
        aggression: warmup.aggression.unwrap_or(1.0),
    })
}

fn consistent(written: &ConsistentHash, place: &mut Place<'_, '_>) -> Option<Balancing> {
    let source = (written.use_source_ip == Some(true)).then_some(());
    let given = [
        written.http_header_name.is_some(),
        written.http_cookie.is_some(),
        source.is_some(),
        written.http_query_parameter_name.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() != 1 {
        let message = "exactly one key has to be given";
        let help = "write one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName";
        place.error(codes::POLICY_FIELDS, message, help);
        return None;
    }
    let key = if let Some(name) = &written.http_header_name {
        let Ok(parsed) = HeaderName::try_from(name.as_str()) else {
            let message = format!("`{name}` is not a header name");
            place.field("httpHeaderName").error(codes::POLICY_VALUE, &message, "write one such as x-user");
            return None;
        };
        HashKey::Header(parsed)
    } else if let Some(written) = &written.http_cookie {
        HashKey::Cookie(cookie(written, &mut place.field("httpCookie"))?)
    } else if let Some(name) = &written.http_query_parameter_name {
        HashKey::Query(name.clone())
    } else {
        HashKey::Source
    };
    Some(Balancing::Hash(key, table(written, place)?))
}

fn cookie(written: &Cookie, place: &mut Place<'_, '_>) -> Option<policy::Cookie> {
    let attributes: Vec<(String, String)> = written
        .attributes
        .iter()
        .flatten()
        .map(|attribute| (attribute.name.clone(), attribute.value.clone().unwrap_or_default()))
        .collect();
    // What would end a name, a value or the line they stand in (RFC 6265, section 4.1.1).
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b";,\"\\".contains(&byte));
    let name = plain(&written.name) && !written.name.contains('=');
    let rest = attributes.iter().flat_map(|(name, value)| [name, value]).chain(&written.path).all(|text| plain(text));
    if !name || !rest {
        let message = "the cookie's name, path or attributes hold characters that a cookie cannot";
        place.error(codes::POLICY_VALUE, message, "write letters, digits, dashes and slashes");
        return None;
    }
    let ttl = place.duration("ttl", written.ttl.as_ref(), Duration::ZERO);
    Some(policy::Cookie { name: written.name.clone(), path: written.path.clone(), ttl, attributes })
}

fn table(written: &ConsistentHash, place: &mut Place<'_, '_>) -> Option<HashTable> {
    if let (Some(_), Some(_)) = (&written.ring_hash, &written.maglev) {
        let message = "`ringHash` and `maglev` exclude each other";
        place.field("maglev").error(codes::POLICY_FIELDS, message, "remove one of the two");
        return None;
    }
    if let Some(maglev) = &written.maglev {
        let size = maglev.table_size.filter(|size| *size > 0).unwrap_or(TABLE);
        let fits = size <= LARGEST_TABLE && is_prime(size);
        if !fits {
            let message = format!("{size} is not a prime up to {LARGEST_TABLE}");
            place.field("maglev/tableSize").error(
                codes::POLICY_VALUE,
                &message,
                "65537 suits up to some 600 endpoints",
            );
        }
        return usize::try_from(size).ok().filter(|_| fits).map(HashTable::Maglev);
    }
    let ring = written.ring_hash.as_ref().and_then(|ring| ring.minimum_ring_size).or(written.minimum_ring_size);
    let size = ring.filter(|size| *size > 0).unwrap_or(RING);
    if size > LARGEST_RING {
        let message = format!("a ring of {size} points is over {LARGEST_RING}");
        place.error(codes::POLICY_VALUE, &message, "leave `minimumRingSize` out, or write less");
        return None;
    }
    usize::try_from(size).ok().map(HashTable::Ring)
}

fn is_prime(number: u64) -> bool {
    number > 1 && (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
}
