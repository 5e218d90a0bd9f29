//! What would become of a request, without doing it.

use crate::config::Channel;
use sluicegate_sdk::{Candidate, Explanation, Request};

/// Says which channel a request is for and who gets its event.
pub(crate) fn explain(channels: &[Channel], chosen: Option<&Channel>, request: &Request<'_>) -> Explanation {
    let Some(channel) = chosen else {
        let authority = request.authority();
        let reason =
            |channel: &Channel| format!("{authority:?} is not {} or another form of its name", channel.address);
        let candidates = channels.iter().map(|channel| candidate(channel, false, reason(channel))).collect();
        return Explanation { summary: format!("no channel is called {authority:?}"), candidates };
    };
    let (name, count) = (channel.full_name(), channel.subscriptions.len());
    let summary = match request.method().as_str() {
        "POST" if count == 0 => {
            format!("becomes an event of channel {name}, which nobody subscribes to: it is dropped")
        }
        "POST" => {
            format!("becomes an event of channel {name} for {count} subscription{}", if count == 1 { "" } else { "s" })
        }
        "OPTIONS" => format!("is answered 200: channel {name} grants a webhook's sender what it asks for"),
        method => format!("is answered 405: channel {name} takes events by POST, not by {method}"),
    };
    let authority = request.authority();
    let mut candidates = vec![candidate(channel, true, format!("{authority:?} is one of its addresses"))];
    candidates.extend(channel.subscriptions.iter().map(|subscription| Candidate {
        name: format!("Subscription {}", subscription.name),
        origin: subscription.origin.clone(),
        chosen: request.method() == "POST",
        reason: format!("gets every event of the channel: {}", subscription.goes_to),
    }));
    Explanation { summary, candidates }
}

fn candidate(channel: &Channel, chosen: bool, reason: String) -> Candidate {
    Candidate {
        name: format!("{} {}", channel.kind, channel.full_name()),
        origin: channel.origin.clone(),
        chosen,
        reason,
    }
}
