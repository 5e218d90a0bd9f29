//! Channels that would give their events to each other for ever.

use crate::config::Channel;
use sluicegate_sdk::Resource;

/// The channels that a subscription closes a circle of, where each gives all its events to the next.
pub(crate) fn closed_by(channels: &[Channel], resource: &Resource) -> Option<String> {
    let name = format!("{}/{}", resource.namespace, resource.name);
    let of = |channel: &Channel| channel.subscriptions.iter().any(|subscription| subscription.name == name);
    let begin = channels.iter().find(|channel| of(channel))?;
    let next = |channel: &Channel| {
        let receivers = channel.subscriptions.iter().map(|subscription| subscription.receiver.as_str());
        let hosts = receivers.filter_map(|uri| uri.strip_prefix("http://")?.split(['/', '?', ':']).next());
        let hosts: Vec<&str> = hosts.collect();
        channels.iter().filter(|channel| hosts.contains(&channel.address.as_str())).collect::<Vec<_>>()
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
