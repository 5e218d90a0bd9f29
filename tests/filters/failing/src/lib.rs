//! What `cargo xtask failures` has both proxies run: the request header `x-fail` names a way to fail, and the setting
//! `configure: trap` is one more. `tests/peers/envoy-failing` does the same in Envoy.

use serde::Deserialize;
use sluicegate_sdk::prelude::*;
use std::hint::black_box;

/// One step of the hungry, in bytes.
const BITE: usize = 8 << 20;
/// More than any message may have, in bytes.
const LARGE: usize = 2 << 20;

/// The filter.
#[derive(Debug)]
pub struct Failing;

/// What the operator may say.
#[derive(Debug, Deserialize)]
pub struct Settings {
    configure: Option<String>,
}

impl Configure for Failing {
    type Settings = Settings;

    fn configure(_: &Environment, settings: Settings, _: &[Resource], _: &mut Diagnostics) -> Self {
        assert!(settings.configure.is_none(), "told to");
        Self
    }
}

fn mode(request: &Request<'_>) -> String {
    request.header("x-fail").unwrap_or_default()
}

impl RequestFilter for Failing {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        match mode(request).as_str() {
            "request" => panic!("told to"),
            "gathered" => gather().call(call("origin", "origin", "/")).into(),
            "spin" => spin(),
            "hog" => hog(),
            // What a body is as long as is the host's to say: this is all that a filter can try.
            "longer" => next().with(set_header("content-length", "1000")).into(),
            "shorter" => next().with(set_header("content-length", "1")).into(),
            "overrun" => next().with(set_header("x-large", "l".repeat(LARGE))).into(),
            "early" => next().with_response(set_header("x-early", "yes")).into(),
            _ => next().into(),
        }
    }
}

impl GatherFilter for Failing {
    type State = ();

    fn on_gathered(&self, _: &Request<'_>, (): (), _: Outcomes) -> RequestDecision {
        panic!("told to")
    }
}

impl ResponseFilter for Failing {
    fn on_response(&self, request: &Request<'_>, _: &Response<'_>) -> ResponseDecision {
        assert_ne!(mode(request), "response", "told to");
        next().into()
    }
}

fn spin() -> ! {
    loop {
        black_box(());
    }
}

fn hog() -> ! {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        // One byte of it: writing all would take longer than a call may.
        let mut bite = Vec::with_capacity(BITE);
        bite.push(1);
        eaten.push(black_box(bite));
    }
}

sluicegate_sdk::export!(
    Failing,
    hooks: [configuration, request, gather, response],
    call: ["origin"],
    settings: "../settings.schema.json",
);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::TestRequest;

    #[test]
    fn it_lets_requests_go_on_that_name_no_failure() {
        assert_eq!(Failing.on_request(&TestRequest::get("/").request()), next().into());
    }

    #[test]
    fn an_edit_of_the_response_may_come_before_there_is_one() {
        let request = TestRequest::get("/").header("x-fail", "early");
        assert_eq!(Failing.on_request(&request.request()), next().with_response(set_header("x-early", "yes")).into());
    }
}
