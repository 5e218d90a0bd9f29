//! What the admin endpoint shows of dead letters, and does with them.

use super::query::{self, Query};
use crate::event::json::Readable;
use crate::event::{Channels, Numbered, PutBack, Selection};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A dead letter: an event that a subscription has given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterStatus {
    /// `NAMESPACE/NAME` of its channel.
    pub channel: String,
    /// Its number there.
    pub number: u64,
    /// `NAMESPACE/NAME` of the subscription.
    pub subscription: String,
    /// Since when it is there (RFC 3339).
    pub since: String,
    /// Why it was given up.
    pub reason: String,
    /// The status that was answered last; none where there was no answer.
    pub status: Option<u16>,
    /// How often it was tried.
    pub tries: u32,
    /// Where it could not be delivered.
    pub uri: String,
    /// The event's id.
    pub id: String,
    /// The event's source.
    pub source: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event as a whole, where single ones are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Value>,
}

/// What came of dropping dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedStatus {
    /// How many.
    pub dropped: usize,
}

/// What came of putting dead letters back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedStatus {
    /// How many are on their way again.
    pub replayed: usize,
    /// Those that are not.
    pub refused: Vec<NotReplayedStatus>,
}

/// A dead letter that stays one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReplayedStatus {
    /// `NAMESPACE/NAME` of its channel.
    pub channel: String,
    /// Its number there.
    pub number: u64,
    /// Why.
    pub reason: String,
}

/// Those that a query means, with their events where it names them.
pub(super) fn list(channels: &Channels, query: Option<&str>) -> Result<Vec<DeadLetterStatus>, String> {
    let (selection, _) = selection(query)?;
    let whole = !selection.numbers.is_empty();
    Ok(channels.dead_letters(&selection).into_iter().map(|letter| status(letter, whole)).collect())
}

/// Drops those that a query means.
pub(super) fn drop(channels: &Channels, query: Option<&str>) -> Result<DroppedStatus, String> {
    Ok(DroppedStatus { dropped: channels.drop_dead_letters(&chosen(query)?) })
}

/// Puts those back that a query means.
pub(super) async fn replay(channels: &Channels, query: Option<&str>) -> Result<ReplayedStatus, String> {
    let PutBack { replayed, refused } = channels.replay_dead_letters(&chosen(query)?).await;
    let refused = refused.into_iter();
    let refused = refused.map(|(channel, number, reason)| NotReplayedStatus { channel, number, reason }).collect();
    Ok(ReplayedStatus { replayed, refused })
}

/// The path and query that mean a selection; `all` says that nothing else needs to be said.
pub(super) fn path(selection: &Selection, all: bool) -> String {
    let Selection { channel, subscription, reason, numbers } = selection;
    let named = [("channel", channel.clone()), ("subscription", subscription.clone()), ("reason", reason.clone())];
    let numbers = numbers.iter().map(|number| ("number", Some(number.to_string())));
    query::path("/dead-letters", named.into_iter().chain(numbers).chain([("all", all.then(String::new))]))
}

/// What a query means, and whether it says that it means everything.
fn selection(query: Option<&str>) -> Result<(Selection, bool), String> {
    let mut query = Query::of(query);
    let selection = Selection {
        channel: query.take("channel"),
        subscription: query.take("subscription"),
        reason: query.take("reason"),
        numbers: query.numbers("number")?,
    };
    let all = query.take("all").is_some();
    query.end()?;
    if !selection.numbers.is_empty() && selection.channel.is_none() {
        return Err("a `number` needs the `channel` that it is of".to_owned());
    }
    Ok((selection, all))
}

/// What is to be changed, which has to be said.
fn chosen(query: Option<&str>) -> Result<Selection, String> {
    match selection(query)? {
        (selection, false) if selection == Selection::default() => {
            Err("say which ones: `channel`, `number`, `subscription`, `reason`, or `all`".to_owned())
        }
        (selection, _) => Ok(selection),
    }
}

fn status(numbered: Numbered, whole: bool) -> DeadLetterStatus {
    let Numbered { channel, number, since, letter } = numbered;
    let event = if whole { serde_json::to_value(Readable(&letter.event)).ok() } else { None };
    DeadLetterStatus {
        channel,
        number,
        subscription: letter.subscription,
        since,
        reason: letter.reason,
        status: letter.status,
        tries: letter.tries,
        uri: letter.uri,
        id: letter.event.id,
        source: letter.event.source,
        kind: letter.event.type_,
        event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_goes_over_the_wire() {
        let selected = Selection {
            channel: Some("default/orders".into()),
            subscription: Some("default/stock".into()),
            reason: Some("it answered 503".into()),
            numbers: vec![1, 2],
        };
        let path = path(&selected, false);
        assert_eq!(selection(path.split_once('?').map(|(_, query)| query)), Ok((selected, false)));
    }

    #[test]
    fn nothing_is_changed_by_a_query_that_says_nothing() {
        assert!(chosen(None).is_err() && chosen(Some("")).is_err());
        assert!(chosen(Some("number=1")).unwrap_err().contains("`channel`"));
        assert_eq!(chosen(Some("all")), Ok(Selection::default()));
    }
}
