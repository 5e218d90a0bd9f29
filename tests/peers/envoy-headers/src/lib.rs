//! What `tests/filters/headers` does, for Envoy: reads two request headers and sets one header each way.
//!
//! A Proxy-Wasm filter cannot edit the response before there is one, so it keeps the second value until then.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Error);
    proxy_wasm::set_http_context(|_, _| Box::new(Headers::default()));
}}

/// The state of one request.
#[derive(Default)]
struct Headers {
    accept: Vec<u8>,
}

impl Context for Headers {}

impl HttpContext for Headers {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let read = |name| self.get_http_request_header_bytes(name).unwrap_or_else(|| b"absent".to_vec());
        let agent = read("user-agent");
        self.accept = read("accept");
        self.set_http_request_header_bytes("x-filter-request", Some(&agent));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.set_http_response_header_bytes("x-filter-response", Some(&self.accept));
        Action::Continue
    }
}
