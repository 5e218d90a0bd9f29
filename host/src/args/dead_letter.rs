//! `sluice dead-letter`.

use super::ask::Ask;
use clap::{Args, Subcommand};
use sluicegate::event::Selection;

/// Looks at events that subscriptions have given up, puts them back or drops them
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetter {
    List(DeadLetterList),
    Show(DeadLetterShow),
    Replay(DeadLetterChange),
    Drop(DeadLetterDrop),
}

/// Lists dead letters, the oldest of each channel first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice dead-letter list
  sluice dead-letter list --channel orders --reason 'answered 503'
  sluice dead-letter list --subscription shop/orders-to-inventory -o json

Exit codes: 0 there are none, 1 there are some, 2 usage, 3 no instance reached.")]
pub(crate) struct DeadLetterList {
    #[command(flatten)]
    pub(crate) of: Of,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Shows one dead letter with its event
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice dead-letter show orders 7
      shows the dead letter that `list` calls 7 of channel orders

Exit codes: 0 shown, 1 not there, 2 usage, 3 no instance reached.")]
pub(crate) struct DeadLetterShow {
    /// Channel or broker: NAME or NAMESPACE/NAME
    pub(crate) channel: String,
    /// Number of the dead letter
    pub(crate) number: u64,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Puts events of dead letters back, each to the subscription that gave it up alone
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice dead-letter replay orders 7 8
  sluice dead-letter replay orders
      puts all of a channel back
  sluice dead-letter replay --subscription orders-to-inventory
  sluice dead-letter replay --all

A dead letter is there until the channel's store has its event again: one that is interrupted may be delivered twice, and is
not lost. Exit codes: 0 put back, 1 some were not, or there were none, 2 usage, 3 no instance reached.")]
pub(crate) struct DeadLetterChange {
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Drops dead letters for good
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice dead-letter drop orders 7
  sluice dead-letter drop orders --reason 'answered 400'
  sluice dead-letter drop --all

Exit codes: 0 dropped, 1 there were none, 2 usage, 3 no instance reached.")]
pub(crate) struct DeadLetterDrop {
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Which dead letters are listed.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// Only those of this channel or broker: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Only those of this subscription or trigger: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,
    /// Only those whose reason has this in it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Which dead letters are changed.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Channel or broker: NAME or NAMESPACE/NAME
    #[arg(required_unless_present_any = ["subscription", "reason", "all"])]
    channel: Option<String>,
    /// Numbers of dead letters; all of the channel by default
    #[arg(value_name = "NUMBER")]
    numbers: Vec<u64>,
    /// Only those of this subscription or trigger: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,
    /// Only those whose reason has this in it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Every one of every channel
    #[arg(long, conflicts_with_all = ["channel", "subscription", "reason"])]
    pub(crate) all: bool,
}

impl Of {
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            channel: self.channel.as_deref().map(full_name),
            subscription: self.subscription.as_deref().map(full_name),
            reason: self.reason.clone(),
            numbers: Vec::new(),
        }
    }
}

impl Chosen {
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            channel: self.channel.as_deref().map(full_name),
            subscription: self.subscription.as_deref().map(full_name),
            reason: self.reason.clone(),
            numbers: self.numbers.clone(),
        }
    }
}

/// `NAMESPACE/NAME`; what names no namespace is in `default`.
pub(crate) fn full_name(name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("default/{name}") }
}
