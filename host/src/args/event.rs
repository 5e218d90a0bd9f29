//! `sluice event`.

use super::ask::{Ask, Format};
use clap::{Args, Subcommand};
use sluicegate::event::Wanted;

/// Looks at channels and brokers, and at their events
#[derive(Debug, Subcommand)]
pub(crate) enum EventCommand {
    List(EventList),
    Send(EventSend),
    Tail(EventTail),
    Replay(EventReplay),
}

/// Lists channels and brokers, and how far their subscriptions are behind
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice event list
  sluice event list -o json

LAG is how many events wait or are under way, OLDEST how long the oldest of them has. Exit codes: 0 shown, 2 usage, 3 no
instance reached.")]
pub(crate) struct EventList {
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Publishes an event to a channel or broker
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice event send orders --type shop.order.placed --source /desk --data '{\"item\": \"lamp\"}'
  sluice event send shop/orders --type t --source /desk --data @order.json --extension region=eu
  generate | sluice event send orders --type t --source /desk --data - --content-type text/plain
  sluice event send --url http://127.0.0.1:8080/ --header host:orders-broker --type t --source /desk
      sends it to any address that takes CloudEvents, not through the admin endpoint

Prints the id of the event. Exit codes: 0 taken, 1 refused, 2 usage, 3 no instance reached.")]
pub(crate) struct EventSend {
    /// Channel or broker: NAME or NAMESPACE/NAME
    #[arg(required_unless_present = "url", conflicts_with = "url")]
    pub(crate) channel: Option<String>,
    /// Type of the event
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: String,
    /// Source of the event, a URI reference
    #[arg(long, value_name = "URI")]
    pub(crate) source: String,
    /// Id of the event; a random one by default
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Subject of the event
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Option<String>,
    /// Extension; may be given several times
    #[arg(long = "extension", value_name = "NAME=VALUE", value_parser = pair::<'='>)]
    pub(crate) extensions: Vec<(String, String)>,
    /// Data: as it stands, @FILE, or - for standard input
    #[arg(short, long, value_name = "TEXT|@FILE|-")]
    pub(crate) data: Option<String>,
    /// Content type of the data
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    pub(crate) content_type: String,
    /// Address to send it to by HTTP instead
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Header for that address; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = pair::<':'>, requires = "url")]
    pub(crate) headers: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Shows events of a channel or broker as they are published
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice event tail orders
      shows events from now on until Ctrl-C
  sluice event tail orders --type 'shop.order.*' -n 10 -o json
      shows ten of them, each as a line of JSON
  sluice event tail orders --filter \"type LIKE 'shop.order.%' AND INT(quantity) > 10\"
      shows those for which this expression of CloudEvents SQL is true; the proxy sends no others
  sluice event tail orders --from 0
      begins with the oldest that the channel's store still has, and goes on
  sluice event tail orders --since 2026-01-31T18:30:00Z

A position or a time needs a store that keeps a history: files do, and NATS and Redis with `events: {history: 1d}`. Of
others, what is published through this instance is shown from the first look on. Exit codes: 0 shown, 1 refused, 2 usage, 3 no instance reached.")]
pub(crate) struct EventTail {
    /// Channel or broker: NAME or NAMESPACE/NAME
    pub(crate) channel: String,
    /// Begins at this position; 0 is the oldest there is
    #[arg(long, value_name = "POSITION", conflicts_with = "since")]
    pub(crate) from: Option<u64>,
    /// Begins with what was taken at this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only events for which this expression of CloudEvents SQL is true
    #[arg(long, value_name = "EXPRESSION", value_parser = expression)]
    pub(crate) filter: Option<String>,
    /// How many to show; all until it is ended by default
    #[arg(short, long, value_name = "N")]
    pub(crate) number: Option<usize>,
    /// Only events of this type; a * at its end stands for anything
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// Only events from this source; a * at its end stands for anything
    #[arg(long, value_name = "URI")]
    pub(crate) source: Option<String>,
    /// Only events about this subject; a * at its end stands for anything
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Option<String>,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Publishes again what a channel or broker has kept
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice event replay orders --from 0 --subscription orders-to-inventory
      gives one subscription everything again that is still there
  sluice event replay orders --from 1200 --to 1300
      publishes these to all, positions as `sluice event tail` shows them
  sluice event replay orders --since 2026-01-31T18:00:00Z --until 2026-01-31T19:00:00Z
  sluice event replay orders --from 0 --filter \"type = 'shop.order.placed' AND EXISTS subject\"

Only stores that keep a history can: files do, as far back as their files go, and NATS and Redis with
`events: {history: 1d}`. What fails half way says how much it has published and where to go on. Exit codes: 0 done,
1 refused, or there was nothing, 2 usage, 3 no instance reached.")]
pub(crate) struct EventReplay {
    /// Channel or broker: NAME or NAMESPACE/NAME
    pub(crate) channel: String,
    /// Begins at this position; 0 is the oldest there is
    #[arg(long, value_name = "POSITION", required_unless_present = "since", conflicts_with = "since")]
    pub(crate) from: Option<u64>,
    /// Begins with what was taken at this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Ends with this position
    #[arg(long, value_name = "POSITION")]
    pub(crate) to: Option<u64>,
    /// Ends before what was taken at this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only to this subscription or trigger: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) subscription: Option<String>,
    /// Only events for which this expression of CloudEvents SQL is true
    #[arg(long, value_name = "EXPRESSION", value_parser = expression)]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

impl EventTail {
    pub(crate) fn is_json(&self) -> bool {
        self.ask.output == Format::Json
    }
}

/// An expression as it stands, once it is known to be one.
fn expression(text: &str) -> Result<String, String> {
    text.parse::<Wanted>().map(|_| text.to_owned())
}

/// A name and a value with a character between them.
fn pair<const BETWEEN: char>(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(BETWEEN).ok_or_else(|| format!("no `{BETWEEN}` between name and value"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
