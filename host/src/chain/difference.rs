//! How the decisions of two versions of a filter differ on one request, without telling values that may be secrets.

use crate::wasm::types::{
    Answer, Call, Destination, Forward, HeaderEdit, Plan, Publish, RequestDecision, RequestEdit, ResponseDecision,
};

/// What differs, as it is in the version in force, and in the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Differs {
    pub(super) what: &'static str,
    pub(super) live: String,
    pub(super) shadow: String,
}

/// How decisions on a request differ; empty when they do the same.
pub(super) fn of_requests(live: &RequestDecision, shadow: &RequestDecision) -> Vec<Differs> {
    use RequestDecision::{Forward, Gather, InspectBody, Next, Publish, Respond, Subscribe};
    let mut found = Found::default();
    match (live, shadow) {
        (Next(live), Next(shadow)) => {
            found.compare("edits", &live.edits, &shadow.edits, |edits| request_edits(edits));
            found.compare("response edits", &live.response_edits, &shadow.response_edits, |edits| header_edits(edits));
        }
        (Forward(live), Forward(shadow)) => found.forwards(live, shadow),
        (Respond(live), Respond(shadow)) => found.answers(live, shadow),
        (Gather(live), Gather(shadow)) => found.plans(live, shadow),
        (Publish(live), Publish(shadow)) => found.publications(live, shadow),
        (InspectBody(live), InspectBody(shadow)) => found.compare("bytes to inspect", live, shadow, u64::to_string),
        (Subscribe(live), Subscribe(shadow)) => found.compare("stream", live, shadow, |stream| stream.channel.clone()),
        (live, shadow) => found.add("decision", describe(live), describe(shadow)),
    }
    found.0
}

/// How decisions on a response differ; empty when they do the same.
pub(super) fn of_responses(live: &ResponseDecision, shadow: &ResponseDecision) -> Vec<Differs> {
    use ResponseDecision::{Next, Respond};
    let mut found = Found::default();
    let describe = |decision: &ResponseDecision| match decision {
        Next(_) => "next".to_owned(),
        Respond(answer) => format!("respond {}", answer.status),
    };
    match (live, shadow) {
        (Next(live), Next(shadow)) => found.compare("response edits", live, shadow, |edits| header_edits(edits)),
        (Respond(live), Respond(shadow)) => found.answers(live, shadow),
        (live, shadow) => found.add("decision on the response", describe(live), describe(shadow)),
    }
    found.0
}

#[derive(Default)]
struct Found(Vec<Differs>);

impl Found {
    fn add(&mut self, what: &'static str, live: String, shadow: String) {
        self.0.push(Differs { what, live, shadow });
    }

    fn compare<T: PartialEq>(&mut self, what: &'static str, live: &T, shadow: &T, describe: impl Fn(&T) -> String) {
        if live == shadow {
            return;
        }
        let (live, shadow) = (describe(live), describe(shadow));
        let shadow = if live == shadow { format!("{shadow}, with other values") } else { shadow };
        self.add(what, live, shadow);
    }

    fn forwards(&mut self, live: &Forward, shadow: &Forward) {
        self.compare("destination", &live.destination, &shadow.destination, destination);
        self.compare("edits", &live.edits, &shadow.edits, |edits| request_edits(edits));
        self.compare("response edits", &live.response_edits, &shadow.response_edits, |edits| header_edits(edits));
        self.compare("timeout", &live.timeout, &shadow.timeout, |timeout| format!("{timeout:?}"));
        self.compare("retries", &live.retries, &shadow.retries, |policy| {
            policy.as_ref().map_or_else(|| "none".to_owned(), |policy| format!("{} more", policy.attempts))
        });
        self.compare("delay", &live.delay, &shadow.delay, |delay| format!("{delay:?}"));
        self.compare("mirrors", &live.mirrors, &shadow.mirrors, |mirrors| {
            list(mirrors.iter().map(|mirror| destination(&mirror.destination)))
        });
    }

    fn answers(&mut self, live: &Answer, shadow: &Answer) {
        self.compare("status", &live.status, &shadow.status, u16::to_string);
        self.compare("headers", &live.headers, &shadow.headers, |headers| {
            list(headers.iter().map(|header| header.name.clone()))
        });
        self.compare("body", &live.body, &shadow.body, |body| format!("{} bytes", body.len()));
        self.compare("delay", &live.delay, &shadow.delay, |delay| format!("{delay:?}"));
    }

    fn plans(&mut self, live: &Plan, shadow: &Plan) {
        let call = |call: &Call| format!("{} to {}", call.name, destination(&call.destination));
        self.compare("calls", &live.calls, &shadow.calls, |calls| list(calls.iter().map(call)));
        self.compare("groups", &live.groups, &shadow.groups, |groups| format!("{} groups", groups.len()));
        self.compare("deadline", &live.deadline, &shadow.deadline, |deadline| format!("{deadline:?}"));
        self.compare("response edits", &live.response_edits, &shadow.response_edits, |edits| header_edits(edits));
    }

    /// Ids and times of events are new each time.
    fn publications(&mut self, live: &Publish, shadow: &Publish) {
        let events = |publish: &Publish| {
            let event = |publication: &crate::wasm::types::Publication| {
                let event = &publication.event;
                (publication.channel.clone(), event.type_.clone(), event.subject.clone(), event.data.clone())
            };
            publish.publications.iter().map(event).collect::<Vec<_>>()
        };
        self.compare("events", &events(live), &events(shadow), |events| {
            list(events.iter().map(|(channel, kind, ..)| format!("{kind} to {channel}")))
        });
        self.answers(&live.answer, &shadow.answer);
    }
}

fn describe(decision: &RequestDecision) -> String {
    match decision {
        RequestDecision::Next(_) => "next".to_owned(),
        RequestDecision::Forward(forward) => format!("forward to {}", destination(&forward.destination)),
        RequestDecision::Respond(answer) => format!("respond {}", answer.status),
        RequestDecision::Gather(plan) => format!("gather {} calls", plan.calls.len()),
        RequestDecision::Assemble(assembly) => format!("assemble {}", assembly.status),
        RequestDecision::Publish(publish) => format!("publish {} events", publish.publications.len()),
        RequestDecision::InspectBody(_) => "inspect the body".to_owned(),
        RequestDecision::Subscribe(stream) => format!("subscribe to {}", stream.channel),
    }
}

fn destination(destination: &Destination) -> String {
    let Destination { host, port, subset } = destination;
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let subset = subset.as_ref().map_or_else(String::new, |subset| format!("/{subset}"));
    format!("{host}{port}{subset}")
}

fn request_edits(edits: &[RequestEdit]) -> String {
    list(edits.iter().map(|edit| match edit {
        RequestEdit::Header(edit) => header_edit(edit),
        RequestEdit::Path(_) => "path".to_owned(),
        RequestEdit::Query(_) => "query".to_owned(),
        RequestEdit::Authority(authority) => format!("authority {authority}"),
        RequestEdit::Attribute(attribute) => format!("attribute {}", attribute.name),
    }))
}

fn header_edits(edits: &[HeaderEdit]) -> String {
    list(edits.iter().map(header_edit))
}

fn header_edit(edit: &HeaderEdit) -> String {
    match edit {
        HeaderEdit::Set(header) => format!("set {}", header.name),
        HeaderEdit::Append(header) => format!("append {}", header.name),
        HeaderEdit::Remove(name) => format!("remove {name}"),
        HeaderEdit::SetFormatted(header) => format!("set {}", header.name),
        HeaderEdit::AppendFormatted(header) => format!("append {}", header.name),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::types::{Continuation, Header};

    fn header(name: &str, value: &str) -> Header {
        Header { name: name.into(), value: value.into() }
    }

    fn respond(status: u16, headers: Vec<Header>) -> RequestDecision {
        RequestDecision::Respond(Answer { status, headers, body: Vec::new(), delay: None })
    }

    fn next(edits: Vec<RequestEdit>) -> RequestDecision {
        RequestDecision::Next(Continuation { edits, response_edits: Vec::new() })
    }

    fn shown(live: &RequestDecision, shadow: &RequestDecision) -> Vec<(&'static str, String, String)> {
        of_requests(live, shadow).into_iter().map(|one| (one.what, one.live, one.shadow)).collect()
    }

    #[test]
    fn decisions_that_do_the_same_do_not_differ() {
        assert_eq!(shown(&respond(200, Vec::new()), &respond(200, Vec::new())), []);
        let edits = || vec![RequestEdit::Header(HeaderEdit::Set(header("x-user", "ada")))];
        assert_eq!(shown(&next(edits()), &next(edits())), []);
    }

    #[test]
    fn another_decision_or_status_is_told() {
        let found = shown(&next(Vec::new()), &respond(403, Vec::new()));
        assert_eq!(found, [("decision", "next".to_owned(), "respond 403".to_owned())]);
        let found = shown(&respond(200, Vec::new()), &respond(403, Vec::new()));
        assert_eq!(found, [("status", "200".to_owned(), "403".to_owned())]);
    }

    #[test]
    fn values_of_headers_are_not_told() {
        let edits = |value| vec![RequestEdit::Header(HeaderEdit::Set(header("x-user", value)))];
        let found = shown(&next(edits("ada")), &next(edits("eve")));
        assert_eq!(found, [("edits", "set x-user".to_owned(), "set x-user, with other values".to_owned())]);
        let found =
            shown(&respond(200, vec![header("set-cookie", "a=1")]), &respond(200, vec![header("set-cookie", "a=2")]));
        assert!(!format!("{found:?}").contains("a="), "{found:?}");
    }

    #[test]
    fn edits_of_a_response_are_compared_too() {
        let live = ResponseDecision::Next(vec![HeaderEdit::Remove("server".into())]);
        assert!(of_responses(&live, &live).is_empty());
        let found = of_responses(&live, &ResponseDecision::Next(Vec::new()));
        assert_eq!((found[0].live.as_str(), found[0].shadow.as_str()), ("remove server", "none"));
    }
}
