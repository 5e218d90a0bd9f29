//! API composition in Envoy: asks the clusters `order` and `inventory` at once and answers with both documents in one.
//!
//! Each document is read to its end as JSON before its bytes become a part of the answer.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Bytes, LogLevel};
use serde::de::IgnoredAny;
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Error);
    proxy_wasm::set_http_context(|_, _| Box::new(Compose::default()));
}}

/// The services, by the names of their clusters and of their parts of the answer.
const SERVICES: [&str; 2] = ["order", "inventory"];
/// For each call.
const DEADLINE: Duration = Duration::from_secs(5);

/// The state of one request: the token of each call until its document is there.
#[derive(Default)]
struct Compose {
    calls: [u32; SERVICES.len()],
    documents: [Option<Bytes>; SERVICES.len()],
}

impl Compose {
    fn call(&self, service: &str, path: &str) -> Option<u32> {
        let headers =
            vec![(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", service)];
        self.dispatch_http_call(service, headers, None, vec![], DEADLINE).ok()
    }

    fn document(&self, size: usize) -> Option<Bytes> {
        let good = self.get_http_call_response_header(":status").is_some_and(|status| status == "200");
        let body = self.get_http_call_response_body(0, size).filter(|_| good)?;
        serde_json::from_slice::<IgnoredAny>(&body).ok().map(|_| body)
    }

    fn answer(&self) {
        let [Some(order), Some(inventory)] = &self.documents else { return };
        let body = [b"{\"order\":", order.as_slice(), b",\"inventory\":", inventory, b"}"].concat();
        self.send_http_response(200, vec![("content-type", "application/json")], Some(&body));
    }

    fn fail(&self) {
        self.send_http_response(502, vec![], None);
    }
}

impl Context for Compose {
    fn on_http_call_response(&mut self, token: u32, _headers: usize, size: usize, _trailers: usize) {
        let Some(number) = self.calls.iter().position(|call| *call == token) else { return };
        match self.document(size) {
            Some(document) => self.documents[number] = Some(document),
            None => return self.fail(),
        }
        self.answer();
    }
}

impl HttpContext for Compose {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        for (number, service) in SERVICES.into_iter().enumerate() {
            match self.call(service, &path) {
                Some(token) => self.calls[number] = token,
                None => {
                    self.fail();
                    break;
                }
            }
        }
        Action::Pause
    }
}
