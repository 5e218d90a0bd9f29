//! One response that is kept: whether it may be, for which requests it answers, and how fresh it is.

use super::directives::{self, Directives};
use crate::config::limits;
use crate::wasm::types::CachePolicy;
use bytes::Bytes;
use http::header::{
    AGE, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, EXPIRES, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, SET_COOKIE, TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, response};
use std::time::{Duration, Instant, SystemTime};

/// Statuses whose responses are kept, with a lifetime of their own or the policy's (RFC 9110, section 15.1, without 206).
const KEPT: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
/// Redirects that are kept only for as long as they say themselves.
const KEPT_IF_SAID: [u16; 3] = [302, 303, 307];

/// A response. Its bytes are its own: those that came are slices of read buffers, which are far larger and would be kept with
/// them.
#[derive(Debug)]
pub(super) struct Entry {
    head: response::Parts,
    body: Bytes,
    /// The request headers that it varies by, as its request had them.
    varying: Vec<(HeaderName, Vec<HeaderValue>)>,
    /// How old it was when it came.
    age: Duration,
    came: Instant,
    lifetime: Duration,
    said: Directives,
}

/// What a kept response may be used for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It answers.
    Fresh,
    /// It answers while a new one is fetched.
    WhileRevalidating,
    /// Only once its service says that it is still good, or, if so, when the service fails.
    Stale {
        /// Whether it stands in for a failure.
        if_error: bool,
    },
}

/// When a request was made, which bounds how old its response is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) came: SystemTime,
}

impl Entry {
    /// The response as it is kept; none when it may not be (RFC 9111, section 3), or is larger than
    /// [`limits::CACHED_RESPONSE`].
    pub(super) fn of(
        request: &HeaderMap,
        head: &response::Parts,
        body: &[u8],
        policy: &CachePolicy,
        asked: Asked,
    ) -> Option<Self> {
        let entry = Self::without_body(request, head, policy, asked)?;
        let fits = entry.size().saturating_add(body.len()) <= limits::CACHED_RESPONSE;
        fits.then(|| Self { body: Bytes::copy_from_slice(body), ..entry })
    }

    fn without_body(request: &HeaderMap, head: &response::Parts, policy: &CachePolicy, asked: Asked) -> Option<Self> {
        let said = Directives::of(&head.headers);
        let lifetime = lifetime(&head.headers, &said, asked.came);
        let default = policy.default_lifetime.map(Duration::from_millis);
        let status = head.status.as_u16();
        let known = KEPT.contains(&status) || (lifetime.is_some() && KEPT_IF_SAID.contains(&status));
        let refused = said.no_store
            || said.private
            || Directives::of(request).no_store
            || head.headers.contains_key(SET_COOKIE)
            || head.headers.contains_key(CONTENT_RANGE)
            || (request.contains_key(AUTHORIZATION)
                && !said.public
                && !said.must_revalidate
                && said.s_maxage.is_none());
        if !known || refused {
            return None;
        }
        let varying = varying(request, &head.headers)?;
        let lifetime = if said.no_cache { Duration::ZERO } else { lifetime.or(default)? };
        let validates = head.headers.contains_key(ETAG) || head.headers.contains_key(LAST_MODIFIED);
        if lifetime.is_zero() && !validates {
            return None;
        }
        let age = initial_age(&head.headers, asked);
        let head = own_head(head)?;
        Some(Self { head, body: Bytes::new(), varying, age, came: Instant::now(), lifetime, said })
    }

    /// The same response, as fresh as a 304 says that it is (section 4.3.4). None when it is not to be kept any more.
    pub(super) fn renewed(
        &self,
        request: &HeaderMap,
        with: &response::Parts,
        policy: &CachePolicy,
        asked: Asked,
    ) -> (response::Parts, Option<Self>) {
        let mut head = self.head.clone();
        head.headers.remove(AGE);
        for name in with.headers.keys() {
            // Speaks of the 304, or of a body that it does not have (section 3.2).
            if [CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING].contains(name) {
                continue;
            }
            head.headers.remove(name);
            for value in with.headers.get_all(name) {
                head.headers.append(name.clone(), value.clone());
            }
        }
        let entry = Self::without_body(request, &head, policy, asked);
        (head, entry.map(|entry| Self { body: self.body.clone(), ..entry }))
    }

    /// Whether it answers a request with these headers (section 4.1).
    pub(super) fn answers(&self, request: &HeaderMap) -> bool {
        self.varying.iter().all(|(name, values)| request.get_all(name).iter().eq(values))
    }

    /// What it may be used for (sections 4.2 and 4.2.4).
    pub(super) fn usable(&self, policy: &CachePolicy) -> Use {
        let age = self.current_age();
        let Some(late) = age.checked_sub(self.lifetime).filter(|_| self.lifetime <= age) else { return Use::Fresh };
        if self.said.no_cache || self.said.must_revalidate {
            return Use::Stale { if_error: false };
        }
        // `s-maxage` forbids what the service itself does not allow (section 5.2.2.10).
        let policys = |milliseconds: u64| if self.said.s_maxage.is_some() { 0 } else { milliseconds };
        let window = |said: Option<Duration>, milliseconds: u64| {
            said.unwrap_or_default().max(Duration::from_millis(policys(milliseconds)))
        };
        if late < window(self.said.stale_while_revalidate, policy.stale_while_revalidate) {
            return Use::WhileRevalidating;
        }
        Use::Stale { if_error: late < window(self.said.stale_if_error, policy.stale_if_error) }
    }

    /// Head and body as they are given out, with the age that the response has now (section 5.1).
    pub(super) fn response(&self) -> (response::Parts, Bytes) {
        let mut head = self.head.clone();
        head.headers.insert(AGE, HeaderValue::from(self.current_age().as_secs()));
        (head, self.body.clone())
    }

    /// Its body.
    pub(super) fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// Makes a request ask whether the response is still good (section 4.3.1). Whether it can be asked so.
    pub(super) fn condition(&self, request: &mut HeaderMap) -> bool {
        let (tag, modified) = (self.head.headers.get(ETAG), self.head.headers.get(LAST_MODIFIED));
        if let Some(tag) = tag {
            request.insert(IF_NONE_MATCH, tag.clone());
        }
        if let Some(modified) = modified {
            request.insert(IF_MODIFIED_SINCE, modified.clone());
        }
        tag.is_some() || modified.is_some()
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        let line = |name: &HeaderName, value: &HeaderValue| name.as_str().len() + value.len() + 64;
        let head: usize = self.head.headers.iter().map(|(name, value)| line(name, value)).sum();
        let varying = self.varying.iter().flat_map(|(name, values)| values.iter().map(move |value| line(name, value)));
        size_of::<Self>() + self.body.len() + head + varying.sum::<usize>()
    }

    /// How old it is now (section 4.2.3).
    pub(super) fn current_age(&self) -> Duration {
        self.age.saturating_add(self.came.elapsed())
    }
}

/// Whether a status is a failure that an older response may stand in for (RFC 5861, section 4).
pub(super) fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// How long the response says that it is fresh (RFC 9111, section 4.2.1).
fn lifetime(headers: &HeaderMap, said: &Directives, came: SystemTime) -> Option<Duration> {
    if let Some(lifetime) = said.s_maxage.or(said.max_age) {
        return Some(lifetime);
    }
    let mut expires = headers.get_all(EXPIRES).iter();
    let first = expires.next()?;
    // An invalid date, `0` above all, is one that has passed (section 5.3).
    let Some(expires) = date(first).filter(|_| expires.next().is_none()) else { return Some(Duration::ZERO) };
    let date = headers.get(DATE).and_then(date).unwrap_or(came);
    Some(expires.duration_since(date).unwrap_or_default())
}

/// How old the response was when it came (section 4.2.3).
fn initial_age(headers: &HeaderMap, asked: Asked) -> Duration {
    let said = headers.get(AGE).map(HeaderValue::as_bytes).and_then(directives::seconds).unwrap_or_default();
    let corrected = said.saturating_add(asked.at.elapsed());
    let apparent = headers.get(DATE).and_then(date).and_then(|date| asked.came.duration_since(date).ok());
    // Dates are of whole seconds, so what is less is no age.
    corrected.max(Duration::from_secs(apparent.unwrap_or_default().as_secs()))
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

/// The request headers that a response varies by; none when it varies by what nobody can tell.
fn varying(request: &HeaderMap, response: &HeaderMap) -> Option<Vec<(HeaderName, Vec<HeaderValue>)>> {
    let mut varying: Vec<(HeaderName, Vec<HeaderValue>)> = Vec::new();
    for value in response.get_all(VARY) {
        for name in value.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name == "*" {
                return None;
            }
            let name = HeaderName::try_from(name).ok()?;
            if !varying.iter().any(|(known, _)| *known == name) {
                let values = request.get_all(&name).iter().map(own_value).collect::<Option<_>>()?;
                varying.push((name, values));
            }
        }
    }
    Some(varying)
}

/// The head in memory of its own, without what the connection has noted of it.
fn own_head(head: &response::Parts) -> Option<response::Parts> {
    let (mut own, ()) = Response::new(()).into_parts();
    (own.status, own.version) = (head.status, head.version);
    own.headers.reserve(head.headers.len());
    for (name, value) in &head.headers {
        own.headers.append(name, own_value(value)?);
    }
    Some(own)
}

/// The value in memory of its own; names are already.
fn own_value(value: &HeaderValue) -> Option<HeaderValue> {
    let mut own = HeaderValue::from_bytes(value.as_bytes()).ok()?;
    own.set_sensitive(value.is_sensitive());
    Some(own)
}

#[cfg(test)]
mod tests;
