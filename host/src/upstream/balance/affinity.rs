//! What ties a request to an endpoint: its key, and the cookie that will carry the key next time.

use super::super::policy::{Balancing, Cookie, HashKey};
use super::hash::hash;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Uri};
use std::net::IpAddr;

/// What ties a request to an endpoint.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Affinity {
    /// The hash of its key; none goes anywhere.
    pub(in crate::upstream) key: Option<u64>,
    /// A `set-cookie` for the response, when the request had no cookie.
    pub(in crate::upstream) cookie: Option<HeaderValue>,
}

impl Affinity {
    /// Reads the key of a request that came from `source`.
    pub(in crate::upstream) fn of(
        balancing: &Balancing,
        headers: &HeaderMap,
        uri: &Uri,
        source: Option<IpAddr>,
    ) -> Self {
        let Balancing::Hash(key, _) = balancing else { return Self::default() };
        let key = match key {
            HashKey::Header(name) => {
                let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
                (!values.is_empty()).then(|| hash(&values.join(&b',')))
            }
            HashKey::Source => source.map(|source| hash(source.to_canonical().to_string().as_bytes())),
            HashKey::Query(name) => query(uri, name).map(|value| hash(value.as_bytes())),
            HashKey::Cookie(cookie) => match find(headers, &cookie.name) {
                Some(value) => Some(hash(value)),
                None if cookie.ttl.is_some() => return Self::with_new(cookie),
                None => None,
            },
        };
        Self { key, cookie: None }
    }

    fn with_new(cookie: &Cookie) -> Self {
        let value = format!("{:032x}", fastrand::u128(..));
        let key = Some(hash(value.as_bytes()));
        Self { key, cookie: HeaderValue::try_from(set_cookie(cookie, &value)).ok() }
    }
}

/// The value of a cookie (RFC 6265, section 4.2.1).
fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| {
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value))
    })
}

/// RFC 6265, section 4.1.1.
fn set_cookie(cookie: &Cookie, value: &str) -> String {
    let age = cookie.ttl.filter(|ttl| !ttl.is_zero()).map(|ttl| format!("Max-Age={}", ttl.as_secs().max(1)));
    let path = cookie.path.as_ref().map(|path| format!("Path={path}"));
    let more = cookie.attributes.iter().map(|(name, value)| match value.as_str() {
        "" => name.clone(),
        value => format!("{name}={value}"),
    });
    let first = format!("{}=\"{value}\"", cookie.name);
    let parts = std::iter::once(first).chain(age).chain(path).chain(more).chain(["HttpOnly".to_owned()]);
    parts.collect::<Vec<_>>().join("; ")
}

fn query<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    uri.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::policy::HashTable;
    use http::HeaderName;
    use std::time::Duration;

    fn of(key: HashKey, headers: &[(&'static str, &str)], uri: &str) -> Affinity {
        let pairs = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let source = Some("10.0.0.1".parse().unwrap());
        Affinity::of(&Balancing::Hash(key, HashTable::Ring(1)), &pairs.collect(), &uri.parse().unwrap(), source)
    }

    fn cookie(ttl: Option<u64>) -> HashKey {
        let attributes = vec![("SameSite".into(), "Strict".into()), ("Secure".into(), String::new())];
        let (name, path, ttl) = ("session".into(), Some("/shop".into()), ttl.map(Duration::from_secs));
        HashKey::Cookie(Cookie { name, path, ttl, attributes })
    }

    #[test]
    fn the_same_key_has_the_same_hash_and_none_has_none() {
        let header = || HashKey::Header(HeaderName::from_static("x-user"));
        assert_eq!(of(header(), &[("x-user", "ada")], "/").key, of(header(), &[("x-user", "ada")], "/a?b").key);
        assert_ne!(of(header(), &[("x-user", "ada")], "/").key, of(header(), &[("x-user", "eve")], "/").key);
        assert_eq!(of(header(), &[], "/").key, None);
        let query = |uri| of(HashKey::Query("user".into()), &[], uri).key;
        assert_eq!(query("/?a=1&user=ada"), Some(hash(b"ada")));
        assert_eq!(query("/?users=ada"), None);
        assert_eq!(of(HashKey::Source, &[], "/").key, Some(hash(b"10.0.0.1")));
    }

    #[test]
    fn a_cookie_is_found_among_others_and_in_quotes() {
        for line in ["session=abc", "a=b; session=abc; c=d", "xsession=z; session=\"abc\""] {
            let found = of(cookie(Some(60)), &[("cookie", line)], "/");
            assert_eq!((found.key, found.cookie), (Some(hash(b"abc")), None), "{line}");
        }
    }

    #[test]
    fn a_cookie_is_made_only_with_a_ttl_and_leads_back() {
        assert!(of(cookie(None), &[], "/").cookie.is_none());
        let made = of(cookie(Some(60)), &[], "/");
        let text = made.cookie.unwrap().to_str().unwrap().to_owned();
        assert!(text.ends_with("\"; Max-Age=60; Path=/shop; SameSite=Strict; Secure; HttpOnly"), "{text}");
        let back = of(cookie(Some(60)), &[("cookie", text.split(';').next().unwrap())], "/");
        assert!(made.key.is_some() && back.key == made.key && back.cookie.is_none());
        let session = of(cookie(Some(0)), &[], "/").cookie.unwrap();
        assert!(!session.to_str().unwrap().contains("Max-Age"));
    }
}
