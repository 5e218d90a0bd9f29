//! Channels that would give their events to each other for ever.

use crate::config::{Action, Channel, Subscription};

/// The channels that a subscription (`NAMESPACE/NAME`) closes a circle of, where each gives all its events to the next.
pub(crate) fn closed_by(channels: &[Channel], name: &str) -> Option<String> {
    let passes_on = |entry: &&Subscription| entry.filters.is_empty() && matches!(entry.action, Action::Deliver);
    let of = |channel: &Channel| channel.subscriptions.iter().any(|subscription| subscription.name == name);
    let begin = channels.iter().find(|channel| of(channel))?;
    let next = |channel: &Channel| {
        let receivers = channel.subscriptions.iter().filter(passes_on).map(|entry| entry.receiver.as_str());
        let receivers: Vec<&str> = receivers.filter_map(|uri| uri.strip_prefix("http://")).collect();
        let leads_to = |channel: &&Channel| receivers.iter().any(|uri| is_address(uri, &channel.address));
        channels.iter().filter(leads_to).collect::<Vec<_>>()
    };
    // Each channel is reached once, by the path that is kept with it.
    let mut reached: Vec<(&Channel, String)> = vec![(begin, begin.full_name())];
    let mut index = 0;
    while let Some((channel, path)) = reached.get(index).cloned() {
        for following in next(channel) {
            let path = format!("{path} -> {}", following.full_name());
            if std::ptr::eq(following, begin) {
                return Some(path);
            }
            if !reached.iter().any(|(known, _)| std::ptr::eq(*known, following)) {
                reached.push((following, path));
            }
        }
        index += 1;
    }
    None
}

/// Whether a URI without its scheme leads to a channel's host, or to a broker's host and path.
fn is_address(uri: &str, address: &str) -> bool {
    let ends: &[char] = if address.contains('/') { &['?'] } else { &['/', '?', ':'] };
    uri.split(ends).next() == Some(address)
}
