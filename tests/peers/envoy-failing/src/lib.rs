//! What `tests/filters/failing` does, for Envoy: `x-fail` names a way to fail, the configuration `trap` is one more.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::hint::black_box;
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Error);
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        assert!(configuration != b"trap", "told to");
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Failing::default()))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// The state of one request.
#[derive(Default)]
struct Failing {
    mode: String,
}

impl Context for Failing {
    fn on_http_call_response(&mut self, _: u32, _: usize, _: usize, _: usize) {
        panic!("told to");
    }
}

impl HttpContext for Failing {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.mode = self.get_http_request_header("x-fail").unwrap_or_default();
        match self.mode.as_str() {
            "request" => panic!("told to"),
            "gathered" => {
                let headers = vec![(":method", "GET"), (":path", "/"), (":authority", "origin")];
                let _ = self.dispatch_http_call("origin", headers, None, vec![], Duration::from_secs(5));
                return Action::Pause;
            }
            "spin" => loop {
                black_box(());
            },
            "hog" => {
                let mut eaten: Vec<Vec<u8>> = Vec::new();
                loop {
                    let mut bite = Vec::with_capacity(8 << 20);
                    bite.push(1);
                    eaten.push(black_box(bite));
                }
            }
            "overrun" => self.set_http_request_header("x-large", Some(&"l".repeat(2 << 20))),
            "early" => self.set_http_response_header("x-early", Some("yes")),
            _ => {}
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !end_of_stream {
            return Action::Pause;
        }
        match self.mode.as_str() {
            "longer" => self.set_http_request_body(0, size, &vec![b'l'; size * 2]),
            "shorter" => self.set_http_request_body(0, size, &vec![b's'; size / 2]),
            _ => {}
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        assert!(self.mode != "response", "told to");
        Action::Continue
    }
}
