//! The filter of the benchmark: reads two request headers and sets one header each way, in one call.

use sluicegate_sdk::prelude::*;

/// Stands in for a header that the request does not have.
const ABSENT: &[u8] = b"absent";

/// `x-filter-request` gets the value of `user-agent`, `x-filter-response` that of `accept`.
#[derive(Debug, Default)]
pub struct Headers;

impl RequestFilter for Headers {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        let read = |name| request.header_bytes(name).unwrap_or_else(|| ABSENT.to_vec());
        next()
            .with(set_header("x-filter-request", read("user-agent")))
            .with_response(set_header("x-filter-response", read("accept")))
            .into()
    }
}

sluicegate_sdk::export!(Headers, hooks: [request], reads: ["user-agent", "accept"]);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::TestRequest;

    #[test]
    fn one_header_is_set_each_way() {
        let decision = Headers.on_request(&TestRequest::get("/").header("user-agent", "curl").request());
        let expected = next()
            .with(set_header("x-filter-request", "curl"))
            .with_response(set_header("x-filter-response", "absent"));
        assert_eq!(decision, expected.into());
    }
}
