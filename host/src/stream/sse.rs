//! Server-sent events (HTML, section 9.2): `id` is an event's position, `event` its type, `data` the event as JSON.

use super::{Listener, MISSED, Told};
use crate::body::ProxyBody;
use crate::config::limits::LISTENER_HEARTBEAT;
use crate::drain::DrainSignal;
use crate::event::Seen;
use crate::event::json::Readable;
use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use std::fmt::Write;

/// After how many milliseconds a client is to come back whose connection has ended.
const RETRY: u64 = 3_000;
/// Asks reverse proxies not to keep the stream back (nginx).
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Where a stream is.
struct State {
    listener: Listener,
    ending: DrainSignal,
    begun: bool,
    ended: bool,
}

/// The response that streams events until the client leaves, the channel is gone or the proxy ends.
pub fn server_sent(listener: Listener, ending: DrainSignal) -> Response<ProxyBody> {
    let state = State { listener, ending, begun: false, ended: false };
    let stream = unfold(state, |mut state| async move {
        let text = state.next().await?;
        Some((Ok(Frame::data(Bytes::from(text))), state))
    });
    let mut response = Response::new(ProxyBody::stream(StreamBody::new(stream)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    response
}

impl State {
    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        if !std::mem::replace(&mut self.begun, true) {
            // With a position, so that whoever leaves before the first event comes back to it.
            return Some(format!("retry: {RETRY}\nid: {}\n\n", self.listener.position()));
        }
        tokio::select! {
            biased;
            () = &mut self.ending => {
                self.ended = true;
                Some(": the proxy ends; come back\n\n".to_owned())
            }
            told = self.listener.next() => {
                self.ended = told.is_none();
                Some(told.map_or_else(|| ": the channel is gone\n\n".to_owned(), |told| written(&told)))
            }
            () = tokio::time::sleep(LISTENER_HEARTBEAT) => Some(format!(":\nid: {}\n\n", self.listener.position())),
        }
    }
}

fn written(told: &Told) -> String {
    let mut text = String::new();
    if told.missed {
        // Writing into memory cannot fail.
        let _ = write!(text, "event: {MISSED}\ndata: {{\"missed\":true}}\n\n");
    }
    for Seen { position, event, .. } in &told.events {
        let kind: String = event.type_.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let json = serde_json::to_string(&Readable(event)).unwrap_or_default();
        let _ = write!(text, "id: {position}\nevent: {kind}\n");
        // JSON of publishers may have lines, and any of three ends of them.
        for line in json.split(['\n', '\r']) {
            let _ = writeln!(text, "data: {line}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::types::Event;
    use std::sync::Arc;
    use std::time::SystemTime;

    #[test]
    fn an_event_cannot_break_out_of_its_frame() {
        let event = Event {
            datacontenttype: Some("application/json".into()),
            data: Some(b"{\n\"a\":\r\n1}".to_vec()),
            ..Event::new("1", "/s", "a\ndata: forged")
        };
        let seen = Seen { position: 7, time: SystemTime::now(), event: Arc::new(event) };
        let text = written(&Told { missed: true, events: vec![seen] });
        let (missed, event) = text.split_once("\n\n").unwrap();
        assert_eq!(missed, "event: dev.sluicegate.missed\ndata: {\"missed\":true}");
        let mut lines = event.lines();
        assert_eq!((lines.next(), lines.next()), (Some("id: 7"), Some("event: a data: forged")));
        let data: String = lines.filter_map(|line| line.strip_prefix("data: ")).collect();
        let read: serde_json::Value = serde_json::from_str(&data).unwrap();
        assert_eq!(read["data"]["a"], 1);
        assert!(event.ends_with("\n\n") && event.trim_end().lines().skip(2).all(|line| line.starts_with("data: ")));
    }
}
