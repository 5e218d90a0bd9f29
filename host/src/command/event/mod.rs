//! `sluice event`: channels, brokers and their events.

mod list;
mod replay;
mod send;
mod tail;

use super::exit::{Failure, Verdict};
use super::explain::instance;
use crate::args::Ask;
use crate::args::event::EventCommand;
use sluicegate::admin::AdminClient;

/// Does what is asked.
pub(crate) fn event(command: &EventCommand) -> Result<Verdict, Failure> {
    match command {
        EventCommand::List(list) => list::list(list),
        EventCommand::Send(send) => send::send(send),
        EventCommand::Tail(tail) => tail::tail(tail),
        EventCommand::Replay(replay) => replay::replay(replay),
    }
}

fn client(ask: &Ask) -> Result<AdminClient, Failure> {
    Ok(AdminClient::new(instance(Some(&ask.admin))?))
}
