//! Channels that would give their events to each other for ever.

use crate::config::{Action, Channel, Subscription};

/// How far all events of a channel come by themselves.
#[derive(Clone)]
struct Reached<'a> {
    channel: &'a Channel,
    /// Whether it is forgotten on the way how many brokers they have come through; otherwise the last of them refuses them.
    endless: bool,
    /// The channels on the way.
    path: String,
}

/// The channels that the last subscription of one (by its place) closes a circle of, where each gives all its events to the
/// next and nothing ends that.
pub(crate) fn closed_by_last(channels: &[Channel], begin: usize) -> Option<String> {
    let begin = channels.get(begin)?;
    let start = Reached { channel: begin, endless: false, path: begin.full_name() };
    let mut reached: Vec<Reached<'_>> =
        begin.subscriptions.last().map(|new| start.by(new, channels)).unwrap_or_default();
    let mut index = 0;
    while let Some(one) = reached.get(index).cloned() {
        index += 1;
        if std::ptr::eq(one.channel, begin) {
            if one.endless {
                return Some(one.path);
            }
            continue;
        }
        for next in one.channel.subscriptions.iter().flat_map(|entry| one.by(entry, channels)) {
            // Each is reached once of either sort.
            let same = |known: &Reached<'_>| std::ptr::eq(known.channel, next.channel) && known.endless == next.endless;
            if !reached.iter().any(same) {
                reached.push(next);
            }
        }
    }
    None
}

impl<'a> Reached<'a> {
    /// The channels that a subscription of this one gives all its events to.
    fn by(&self, entry: &Subscription, channels: &'a [Channel]) -> Vec<Self> {
        let uri = entry.receiver.strip_prefix("http://");
        let leads_to = |channel: &&Channel| match &entry.action {
            _ if !entry.filters.is_empty() => false,
            Action::Deliver => uri.is_some_and(|uri| is_address(uri, &channel.address)),
            // A broker is known by the path, which the request may have another of.
            Action::Send(send) if send.path.is_some() && channel.is_broker() => false,
            Action::Send(send) => send.is_event() && uri.is_some_and(|uri| is_address(uri, &channel.address)),
            // What an event is split into is smaller than it, so that comes to an end.
            Action::Emit(emit) => emit.split.is_none() && emit.channel == channel.full_name(),
            Action::Answer(_) => false,
        };
        let counted = |channel: &Channel| channel.is_broker() && !matches!(entry.action, Action::Send(_));
        let next = |channel: &'a Channel| Self {
            channel,
            endless: self.endless || !counted(channel),
            path: format!("{} -> {}", self.path, channel.full_name()),
        };
        channels.iter().filter(leads_to).map(next).collect()
    }
}

/// Whether a URI without its scheme leads to a channel's host, or to a broker's host and path.
fn is_address(uri: &str, address: &str) -> bool {
    let ends: &[char] = if address.contains('/') { &['?'] } else { &['/', '?', ':'] };
    uri.split(ends).next() == Some(address)
}
