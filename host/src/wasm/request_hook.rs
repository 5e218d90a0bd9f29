//! The hook `request`, in the two forms that the contract has for it.
//!
//! A filter that declares the headers it reads gets their values with the call. That saves it a call of the host for
//! each, which costs about as much as everything else in a small filter.

use super::bindings::exports::sluicegate::filter::{declared_request_filter, request_filter};
use super::component::Refusal;
use super::host_api::{CURRENT, State};
use super::types;
use crate::config::limits::FILTER_READS;
use crate::request::belongs_to_host;
use http::{HeaderMap, HeaderName};
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, Resource};

/// Where the hook is in a component.
pub(super) enum RequestIndices {
    Plain(request_filter::GuestIndices),
    Declared(declared_request_filter::GuestIndices, Arc<[HeaderName]>),
}

/// The hook of an instance.
pub(super) enum RequestHook {
    Plain(request_filter::Guest),
    Declared(declared_request_filter::Guest, Declared),
}

/// The values of the declared headers of one call, each in the memory of the value before it. They are copies: the request
/// itself is in the store, which belongs to the guest while the values are handed over.
pub(super) struct Declared {
    names: Arc<[HeaderName]>,
    /// In the order of the names; none for a header that the request does not have.
    values: Vec<Option<Vec<u8>>>,
}

impl RequestIndices {
    /// Finds the hook among a component's exports, whose interfaces `exported` knows by name. `reads` is what the
    /// component's manifest says.
    pub(super) fn find(
        pre: &InstancePre<State>,
        exported: impl Fn(&str) -> bool,
        reads: &[String],
    ) -> Result<Option<Self>, Refusal> {
        let unfit = |error: wasmtime::Error| Refusal::Link(format!("{error:#}"));
        match (exported("request-filter"), exported("declared-request-filter")) {
            (true, true) => Err(Refusal::TwoRequestHooks),
            (_, false) if !reads.is_empty() => Err(Refusal::ReadsWithoutHook),
            (true, false) => {
                request_filter::GuestIndices::new(pre).map(|plain| Some(Self::Plain(plain))).map_err(unfit)
            }
            (false, true) => {
                let names = names(reads)?;
                let indices = declared_request_filter::GuestIndices::new(pre).map_err(unfit)?;
                Ok(Some(Self::Declared(indices, names)))
            }
            (false, false) => Ok(None),
        }
    }

    pub(super) fn load(&self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<RequestHook> {
        Ok(match self {
            Self::Plain(indices) => RequestHook::Plain(indices.load(store, instance)?),
            Self::Declared(indices, names) => {
                RequestHook::Declared(indices.load(store, instance)?, Declared::new(Arc::clone(names)))
            }
        })
    }
}

impl RequestHook {
    /// Asks about the request that the store holds.
    pub(super) fn call(&mut self, store: &mut Store<State>) -> wasmtime::Result<types::RequestDecision> {
        let request = Resource::new_borrow(CURRENT);
        match self {
            Self::Plain(hook) => hook.call_on_request(store, request),
            Self::Declared(hook, declared) => {
                let values = declared.collect(&store.data().request.headers);
                hook.call_on_request(store, request, values)
            }
        }
    }
}

impl Declared {
    fn new(names: Arc<[HeaderName]>) -> Self {
        let values = vec![None; names.len()];
        Self { names, values }
    }

    fn collect(&mut self, headers: &HeaderMap) -> &[Option<Vec<u8>>] {
        for (kept, name) in self.values.iter_mut().zip(&*self.names) {
            match (headers.get(name), &mut *kept) {
                (Some(value), Some(kept)) => value.as_bytes().clone_into(kept),
                (value, kept) => *kept = value.map(|value| value.as_bytes().to_vec()),
            }
        }
        &self.values
    }
}

/// The headers that a manifest declares.
fn names(reads: &[String]) -> Result<Arc<[HeaderName]>, Refusal> {
    if reads.len() > FILTER_READS {
        return Err(Refusal::TooManyReads { found: reads.len() });
    }
    let name = |name: &String| {
        let refused = |reason| Refusal::Reads { name: name.clone(), reason };
        let parsed = HeaderName::try_from(name).map_err(|_| refused("which is not a header name"))?;
        if belongs_to_host(&parsed) { Err(refused("which belongs to the host")) } else { Ok(parsed) }
    };
    reads.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::Runtime;
    use crate::wasm::manifest::SECTION;
    use http::HeaderValue;

    fn declared(reads: &[&str]) -> Declared {
        let reads: Vec<String> = reads.iter().map(ToString::to_string).collect();
        Declared::new(names(&reads).unwrap())
    }

    fn headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        headers.iter().map(header).collect()
    }

    #[test]
    fn the_first_value_of_each_name_comes_in_the_order_of_the_names() {
        let mut declared = declared(&["x-tenant", "Accept", "x-empty", "user-agent"]);
        let headers = headers(&[("user-agent", "curl"), ("x-empty", ""), ("accept", "one"), ("accept", "two")]);
        let expected = [None, Some("one"), Some(""), Some("curl")];
        assert_eq!(declared.collect(&headers), expected.map(|value| value.map(|value| value.as_bytes().to_vec())));
    }

    #[test]
    fn nothing_is_left_of_the_call_before() {
        let mut declared = declared(&["authorization", "accept"]);
        declared.collect(&headers(&[("authorization", "secret"), ("accept", "text/html")]));
        assert_eq!(declared.collect(&headers(&[("accept", "*/*")])), [None, Some(b"*/*".to_vec())]);
        assert_eq!(declared.collect(&HeaderMap::new()), [None, None]);
    }

    #[test]
    fn a_name_that_cannot_be_read_is_refused_with_the_reason() {
        for (name, reason) in [("bad name", "not a header name"), ("", "not a header name"), ("Host", "to the host")] {
            let refusal = names(&["accept".into(), name.into()]).expect_err(name).to_string();
            assert!(refusal.contains(&format!("{name:?}")) && refusal.contains(reason), "{refusal}");
        }
    }

    #[test]
    fn as_many_names_as_the_limit_are_taken() {
        let reads: Vec<String> = (0..=FILTER_READS).map(|index| format!("x-{index}")).collect();
        assert_eq!(names(&reads[1..]).unwrap().len(), FILTER_READS);
        assert_eq!(names(&reads).unwrap_err(), Refusal::TooManyReads { found: FILTER_READS + 1 });
    }

    /// A section of a component, whose size fits into one byte.
    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let size = u8::try_from(content.len()).ok().filter(|size| *size < 128).unwrap();
        [&[id, size][..], content].concat()
    }

    fn name(name: &str) -> Vec<u8> {
        [&[u8::try_from(name.len()).unwrap()][..], name.as_bytes()].concat()
    }

    /// Why a component is refused that exports these interfaces, with nothing in them, and has these `reads`.
    fn refusal(interfaces: &[&str], reads: &str) -> Refusal {
        let manifest = format!(r#"{{"name":"a","version":"1","reads":[{reads}]}}"#);
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        bytes.extend(section(0, &[name(SECTION), manifest.into_bytes()].concat()));
        // One instance without exports, then that instance under each name.
        bytes.extend(section(5, &[1, 1, 0]));
        for interface in interfaces {
            let name = name(&format!("sluicegate:filter/{interface}@0.1.0"));
            bytes.extend(section(11, &[&[1, 0][..], &name, &[5, 0, 0]].concat()));
        }
        Runtime::new(None).unwrap().load("a", &bytes, &[], crate::wasm::Crew::One).unwrap_err()
    }

    #[test]
    fn a_component_has_one_form_of_the_hook() {
        assert_eq!(refusal(&["request-filter", "declared-request-filter"], ""), Refusal::TwoRequestHooks);
    }

    #[test]
    fn a_component_that_declares_headers_has_the_hook_that_gets_them() {
        assert_eq!(refusal(&["request-filter"], r#""accept""#), Refusal::ReadsWithoutHook);
        assert_eq!(refusal(&["response-filter"], r#"null,"accept""#), Refusal::ReadsWithoutHook);
    }

    #[test]
    fn a_component_that_declares_a_header_of_the_host_is_refused() {
        let expected = Refusal::Reads { name: "Connection".into(), reason: "which belongs to the host" };
        assert_eq!(refusal(&["declared-request-filter"], r#""accept","Connection""#), expected);
    }
}
