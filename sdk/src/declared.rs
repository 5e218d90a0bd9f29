//! Headers that came with the call, since the filter's manifest says that it reads them.

use std::cell::RefCell;

/// The first values of the declared headers.
///
/// A value is handed out as it came, without a copy, so it is there once; who reads it again asks the host, which has
/// the same value for as long as the call runs.
#[derive(Debug)]
pub struct Declared {
    names: &'static [&'static str],
    /// In the order of the names; none for a header that the request does not have, empty for one that was handed out.
    values: RefCell<Vec<Option<Vec<u8>>>>,
}

impl Declared {
    /// The values that belong to these names.
    pub fn new(names: &'static [&'static str], values: Vec<Option<Vec<u8>>>) -> Self {
        Self { names, values: RefCell::new(values) }
    }

    /// The first value of a header. `host` is asked for one that is not declared, one that was handed out, and one whose
    /// value is empty, which looks the same.
    pub(crate) fn first(&self, name: &str, host: impl FnOnce() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let Some(index) = self.names.iter().position(|declared| declared.eq_ignore_ascii_case(name)) else {
            return host();
        };
        // Nobody else can hold the values, since nothing below runs a filter's code.
        let Ok(mut values) = self.values.try_borrow_mut() else { return host() };
        match values.get_mut(index) {
            Some(None) => None,
            Some(Some(value)) if !value.is_empty() => Some(std::mem::take(value)),
            _ => host(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRequest;

    fn declared(values: [Option<&str>; 2]) -> Declared {
        let values = values.map(|value| value.map(|value| value.as_bytes().to_vec()));
        Declared::new(&["Accept", "x-tenant"], values.into())
    }

    #[test]
    fn a_declared_header_is_read_from_what_came_with_the_call() {
        let (declared, host) = (declared([Some("given"), None]), TestRequest::get("/").header("x-tenant", "host"));
        let request = host.request().with_declared(&declared);
        assert_eq!(request.header("aCCept").as_deref(), Some("given"));
        assert_eq!(request.header("x-tenant"), None, "the host is not asked for what it said is not there");
        assert_eq!(request.header("x-tenant"), None);
    }

    #[test]
    fn what_was_handed_out_is_read_again_from_the_host() {
        let (declared, host) = (declared([Some("given"), None]), TestRequest::get("/").header("accept", "host"));
        let request = host.request().with_declared(&declared);
        let copy = request;
        assert_eq!(request.header_bytes("accept").as_deref(), Some(&b"given"[..]));
        assert_eq!(copy.header("accept").as_deref(), Some("host"), "a copy of the view shares what it has");
        assert_eq!(request.header("accept").as_deref(), Some("host"));
    }

    #[test]
    fn an_empty_value_is_not_an_absent_one() {
        let (declared, host) = (declared([Some(""), None]), TestRequest::get("/").header("accept", ""));
        assert_eq!(host.request().with_declared(&declared).header("accept").as_deref(), Some(""));
    }

    #[test]
    fn everything_else_is_read_from_the_host() {
        let host = TestRequest::get("/").header("accept", "one").header("accept", "two").header("via", "host");
        let declared = declared([Some("one"), None]);
        let request = host.request().with_declared(&declared);
        assert_eq!(request.header("via").as_deref(), Some("host"));
        assert_eq!(request.header("accept").as_deref(), Some("one"));
        assert_eq!(request.header_values("accept"), [b"one", b"two"]);
        assert_eq!(request.headers().len(), 3);
    }

    #[test]
    fn fewer_values_than_names_are_asked_for() {
        let declared = Declared::new(&["accept"], Vec::new());
        let host = TestRequest::get("/").header("accept", "host");
        assert_eq!(host.request().with_declared(&declared).header("accept").as_deref(), Some("host"));
    }
}
