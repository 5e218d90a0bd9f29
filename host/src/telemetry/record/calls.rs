//! The calls that an answer was composed of, as its record lists them.

use super::object::{Object, cut, escape};
use crate::telemetry::call::{CallEnd, CallReport};

impl Object<'_> {
    /// A list of objects.
    pub(super) fn calls(&mut self, calls: &[CallReport]) {
        self.key("sluicegate.calls");
        for (index, call) in calls.iter().enumerate() {
            self.out.push(if index == 0 { b'[' } else { b',' });
            self.call(call);
        }
        self.out.push(b']');
    }

    fn call(&mut self, call: &CallReport) {
        self.out.extend_from_slice(b"{\"name\":\"");
        escape(cut(call.name.as_bytes()), self.out);
        self.out.push(b'"');
        self.text("destination", call.host.as_bytes());
        if let Some(port) = call.port {
            self.number("port", u64::from(port));
        }
        if let Some(subset) = &call.subset {
            self.text("subset", subset.as_bytes());
        }
        match call.end {
            CallEnd::Good(status) => self.number("status", u64::from(status)),
            CallEnd::Unaccepted(status) => {
                self.number("status", u64::from(status));
                self.text("error", b"status");
            }
            CallEnd::Failed(reason) => self.text("error", reason.as_bytes()),
        }
        if let Some(cache) = call.origin.word() {
            self.text("cache", cache.as_bytes());
        }
        if call.attempts > 0 {
            self.number("attempts", u64::from(call.attempts));
        }
        if let Some(endpoint) = call.endpoint {
            self.display("endpoint", endpoint);
        }
        self.milliseconds("ms", call.duration);
        self.out.push(b'}');
    }
}
