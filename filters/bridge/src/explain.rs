//! What would become of a request, without doing it.

use crate::address::{self, Place};
use crate::bridging::{EventStream, RequestBridge};
use crate::config::{Channel, Configuration};
use crate::ingress;
use crate::request_reply::RequestReply;
use sluicegate_sdk::{Candidate, Event, Explanation, Request};

/// Says which channel, broker or bridge a request is for and who gets its event.
pub(crate) fn explain(configuration: &Configuration, place: Option<Place>, request: &Request<'_>) -> Explanation {
    let Configuration { channels, requests, bridges, streams } = configuration;
    let path = request.path();
    match place {
        Some(Place::Channel(index)) => match channels.get(index) {
            Some(channel) => {
                of_channel(channel, &format!("{:?} is one of its addresses", request.authority()), request)
            }
            None => nothing(configuration, request),
        },
        Some(Place::Brokers) => {
            let same = |channel: &&Channel| {
                channel.is_broker() && address::named(&path) == Some((&channel.namespace, &channel.name, ""))
            };
            match channels.iter().find(same) {
                Some(broker) => of_channel(broker, &format!("{path:?} is its path"), request),
                None => of_no_path(channels.iter().filter(|channel| channel.is_broker()), &path),
            }
        }
        Some(Place::Requests) => of_requests(requests, &path),
        None => match bridges.iter().find(|bridge| bridge.takes(request)) {
            Some(bridge) => of_bridge(bridge, channels),
            None => match streams.iter().find(|stream| stream.takes(request)) {
                Some(stream) => of_stream(stream),
                None => nothing(configuration, request),
            },
        },
    }
}

fn nothing(configuration: &Configuration, request: &Request<'_>) -> Explanation {
    let authority = request.authority();
    let reason = |channel: &Channel| format!("{authority:?} is not {} or another form of its name", channel.address);
    let channels = configuration.channels.iter();
    let mut candidates: Vec<Candidate> = channels.map(|channel| candidate(channel, false, reason(channel))).collect();
    candidates.extend(configuration.bridges.iter().map(|bridge| bridged(bridge, false, bridge.lost(request))));
    let streams = configuration.streams.iter();
    candidates.extend(streams.map(|stream| streamed(stream, false, stream.lost(request))));
    Explanation { summary: format!("no channel is called {authority:?}"), candidates }
}

fn of_channel(channel: &Channel, why: &str, request: &Request<'_>) -> Explanation {
    let (name, count) = (channel.full_name(), channel.subscriptions.len());
    let (word, one, all) = if channel.is_broker() {
        ("broker", "trigger", "triggers")
    } else {
        ("channel", "subscription", "subscriptions")
    };
    let summary = match request.method().as_str() {
        "POST" if count == 0 => format!("becomes an event of {word} {name}, which nobody subscribes to: it is dropped"),
        "POST" => format!("becomes an event of {word} {name} for {count} {}", if count == 1 { one } else { all }),
        "OPTIONS" => format!("is answered 200: {word} {name} grants a webhook's sender what it asks for"),
        method => format!("is answered 405: {word} {name} takes events by POST, not by {method}"),
    };
    let mut candidates = vec![candidate(channel, true, why.to_owned())];
    let event = ingress::preview(request);
    candidates.extend(subscribers(channel, request.method() == "POST", event.as_ref()));
    Explanation { summary, candidates }
}

/// Everyone who subscribes to a channel. Where the event is known, those whose filters keep it back are not chosen.
fn subscribers<'a>(
    channel: &'a Channel,
    chosen: bool,
    event: Option<&'a Event>,
) -> impl Iterator<Item = Candidate> + 'a {
    channel.subscriptions.iter().map(move |subscription| {
        let filters = &subscription.filters;
        let passes = event.is_none_or(|event| filters.pass(event));
        let which = match (filters.is_empty(), event, passes) {
            (true, ..) => "gets every event of the channel",
            (false, None, _) => "gets the events that pass its filters",
            (false, Some(_), true) => "gets the event, which passes its filters",
            (false, Some(_), false) => "does not get the event, which its filters keep back",
        };
        Candidate {
            name: format!("{} {}", subscription.kind, subscription.name),
            origin: subscription.origin.clone(),
            chosen: chosen && passes,
            reason: format!("{which}: {}", subscription.goes_to),
        }
    })
}

fn of_no_path<'a>(brokers: impl Iterator<Item = &'a Channel>, path: &str) -> Explanation {
    let lost = |broker: &Channel| candidate(broker, false, format!("{path:?} is not /{}", broker.full_name()));
    Explanation { summary: format!("no broker is at {path:?}"), candidates: brokers.map(lost).collect() }
}

fn of_requests(requests: &[RequestReply], path: &str) -> Explanation {
    let named = address::named(path).map(|(namespace, name, rest)| (format!("{namespace}/{name}"), rest));
    let is = |known: &RequestReply| named.as_ref().is_some_and(|(name, _)| *name == known.full_name);
    let summary = match (requests.iter().find(|known| is(known)), &named) {
        (None, _) => format!("no RequestReply is at {path:?}"),
        (Some(known), Some((_, rest))) if !rest.is_empty() => {
            format!("becomes an event of broker {}, as the reply to a request", known.broker)
        }
        (Some(known), _) => format!(
            "becomes an event of broker {}, and waits {} ms for one that repeats its {} as {}",
            known.broker, known.timeout, known.correlation, known.reply
        ),
    };
    let candidates = requests.iter().map(|known| Candidate {
        name: known.label(),
        origin: known.origin.clone(),
        chosen: is(known),
        reason: format!("its path is /{}", known.full_name),
    });
    Explanation { summary, candidates: candidates.collect() }
}

fn of_bridge(bridge: &RequestBridge, channels: &[Channel]) -> Explanation {
    let then = match &bridge.reply {
        None if bridge.acknowledged => "answered 202".to_owned(),
        None => "answered 202 before it is stored".to_owned(),
        Some(reply) => match reply.keep {
            None => format!("answered by the event that replies within {} ms, or 504", reply.timeout),
            Some(_) => {
                format!("answered by the event that replies within {} ms, or 202 with a Location", reply.timeout)
            }
        },
    };
    let summary = format!("becomes an event of {}, {then}", bridge.channel);
    let why = format!("{} {} is what it takes", bridge.host, bridge.path);
    let mut candidates = vec![bridged(bridge, true, why)];
    let channel = channels.iter().find(|channel| channel.full_name() == bridge.channel);
    candidates.extend(channel.into_iter().flat_map(|channel| subscribers(channel, true, None)));
    Explanation { summary, candidates }
}

fn of_stream(stream: &EventStream) -> Explanation {
    let summary = format!("listens to {}", stream.channel);
    Explanation { summary, candidates: vec![streamed(stream, true, "host and path are what it takes".to_owned())] }
}

fn streamed(stream: &EventStream, chosen: bool, reason: String) -> Candidate {
    Candidate { name: format!("EventBridge {}", stream.name), origin: stream.origin.clone(), chosen, reason }
}

fn candidate(channel: &Channel, chosen: bool, reason: String) -> Candidate {
    let name = format!("{} {}", channel.kind, channel.full_name());
    Candidate { name, origin: channel.origin.clone(), chosen, reason }
}

fn bridged(bridge: &RequestBridge, chosen: bool, reason: String) -> Candidate {
    Candidate { name: format!("EventBridge {}", bridge.name), origin: bridge.origin.clone(), chosen, reason }
}
