//! Subscriptions that are gone, which the server is to forget whatever happens to it, or to this process.

use super::{Place, Server};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two tries, after the first and at most.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_LATER: Duration = Duration::from_secs(2);
/// For how long it is tried: a server that restarts is back by then, and at the next start it is tried anew.
const LONG: Duration = Duration::from_mins(1);

/// Has the server forget a subscription, once nothing is fetched for it any more.
pub(super) async fn remove<S: Server>(place: Arc<Place<S>>) {
    place.left().await;
    let (begin, mut again) = (Instant::now(), AGAIN);
    let (shared, channel, subscription) = (&place.shared, place.channel(), &place.subscription);
    while let Err(error) = shared.server.remove(channel, subscription).await {
        if begin.elapsed() >= LONG {
            tracing::warn!(channel, subscription, %error, "the {} still keeps the subscription", S::NAME);
            return;
        }
        tokio::time::sleep(again).await;
        again = again.saturating_mul(2).min(AGAIN_LATER);
        if shared.has(subscription) {
            tracing::warn!(channel, subscription, "the subscription is back before it was removed, with what it had");
            return;
        }
    }
}
