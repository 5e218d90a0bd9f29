//! A client listens to the events of a channel: by server-sent events, or over WebSocket.

use crate::address;
use percent_encoding::percent_decode_str;
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::{StreamFormat, SubscriptionStream, subscribe};

/// Which requests listen, and to what.
#[derive(Debug, Clone)]
pub(crate) struct EventStream {
    /// `NAMESPACE/NAME`.
    pub(crate) name: String,
    /// `file:line`.
    pub(crate) origin: String,
    /// In lower case, without port.
    pub(crate) host: String,
    /// This path and none below it.
    pub(crate) path: String,
    /// `NAMESPACE/NAME`.
    pub(crate) channel: String,
    /// What events have to have; an empty value says that it has to be there.
    pub(crate) attributes: Vec<(String, String)>,
    /// Other sites whose pages may listen, in lower case; `*` is all.
    pub(crate) origins: Vec<String>,
}

impl EventStream {
    /// Whether a request is for it.
    pub(crate) fn takes(&self, request: &Request<'_>) -> bool {
        address::host(&request.authority()).eq_ignore_ascii_case(&self.host) && request.path() == self.path
    }

    /// Why a request is not for it.
    pub(crate) fn lost(&self, request: &Request<'_>) -> String {
        format!("{}{} is not {}{}", request.authority(), request.path(), self.host, self.path)
    }

    /// Decides on a request that it takes.
    pub(crate) fn decide(&self, request: &Request<'_>) -> RequestDecision {
        if request.method() != "GET" {
            return respond(405).header("allow", "GET").text("events are listened to by GET\n").into();
        }
        let origin = request.header("origin").map(|origin| origin.to_ascii_lowercase());
        let is_allowed = origin.as_deref().is_none_or(|origin| self.allows(origin, &request.authority()));
        // Every handshake of WebSocket has this, in both versions of HTTP.
        if request.header("sec-websocket-version").is_some() {
            // No browser asks whether another site's page may, so that has to be done here.
            if !is_allowed {
                return respond(403).text("pages of this origin may not listen\n").into();
            }
            return self.stream(StreamFormat::Websocket).after(asked(request)).into();
        }
        if request.header("accept").is_some_and(|accept| !takes_events(&accept)) {
            return respond(406).text("events come as text/event-stream\n").into();
        }
        let after = request.header("last-event-id").filter(|id| !id.is_empty()).or_else(|| asked(request));
        let stream = self.stream(StreamFormat::ServerSent).after(after);
        match origin.filter(|_| is_allowed) {
            Some(origin) => stream
                .with_response(set_header("access-control-allow-origin", origin))
                .with_response(append_header("vary", "origin"))
                .into(),
            None => stream.into(),
        }
    }

    fn stream(&self, format: StreamFormat) -> SubscriptionStream {
        let stream = subscribe(self.channel.clone(), format);
        self.attributes.iter().fold(stream, |stream, (name, value)| stream.only(name, value))
    }

    /// Pages of the host itself may always listen.
    fn allows(&self, origin: &str, authority: &str) -> bool {
        let own = origin.split_once("://").is_some_and(|(_, host)| host.eq_ignore_ascii_case(authority));
        own || self.origins.iter().any(|known| known == "*" || known == origin)
    }
}

/// The position that a query names, for clients that can set no header.
fn asked(request: &Request<'_>) -> Option<String> {
    let query = request.query()?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("after="))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn takes_events(accept: &str) -> bool {
    let mut types = accept.split(',').map(|one| one.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    types.any(|one| matches!(one.as_str(), "text/event-stream" | "text/*" | "*/*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::TestRequest;

    fn stream() -> EventStream {
        EventStream {
            name: "default/watch".into(),
            origin: "watch.yaml:1".into(),
            host: "shop".into(),
            path: "/events".into(),
            channel: "default/orders".into(),
            attributes: vec![("type".into(), "order.placed".into())],
            origins: vec!["https://desk.example".into()],
        }
    }

    fn get() -> TestRequest {
        TestRequest::get("/events").authority("shop:8080")
    }

    fn decided(request: &TestRequest) -> Result<SubscriptionStream, u16> {
        match stream().decide(&request.request()) {
            RequestDecision::Subscribe(stream) => Ok(stream),
            RequestDecision::Respond(answer) => Err(answer.status),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_client_listens_by_server_sent_events_and_goes_on_where_it_was() {
        assert!(
            stream().takes(&get().request())
                && !stream().takes(&TestRequest::get("/events/1").authority("shop").request())
        );
        let begun = decided(&get().header("accept", "text/event-stream")).unwrap();
        assert_eq!(
            (begun.channel.as_str(), begun.format, begun.after),
            ("default/orders", StreamFormat::ServerSent, None)
        );
        assert_eq!(begun.attributes[0].value, "order.placed");
        assert_eq!(decided(&get().header("last-event-id", "41")).unwrap().after.as_deref(), Some("41"));
        let asked = TestRequest::get("/events?after=7").authority("shop");
        assert_eq!(decided(&asked).unwrap().after.as_deref(), Some("7"));
        assert_eq!(decided(&get().header("accept", "application/json")).unwrap_err(), 406);
    }

    #[test]
    fn pages_of_other_sites_listen_only_where_they_may() {
        let websocket = |origin: &str| decided(&get().header("sec-websocket-version", "13").header("origin", origin));
        assert_eq!(websocket("http://shop:8080").unwrap().format, StreamFormat::Websocket);
        assert!(websocket("https://Desk.example").is_ok());
        assert_eq!(websocket("https://evil.example").unwrap_err(), 403);
        let sent = |origin: &str| decided(&get().header("origin", origin)).unwrap().response_edits.len();
        assert_eq!((sent("https://desk.example"), sent("https://evil.example")), (2, 0));
    }

    #[test]
    fn nothing_is_listened_to_but_by_get() {
        assert_eq!(decided(&TestRequest::post("/events").authority("shop")).unwrap_err(), 405);
    }
}
