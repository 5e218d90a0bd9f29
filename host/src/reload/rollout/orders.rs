//! What operators ask of rollouts, carried out by the thread that reloads.

use super::super::load::Loader;
use super::running::Running;
use crate::admin::rollout::FilterAction;
use crate::rollout::Event;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Orders that wait for the thread, which may be compiling.
const QUEUE: usize = 16;
/// How long an operator waits: the thread may be compiling a large component.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes orders.
#[derive(Debug, Clone)]
pub struct Orders(SyncSender<Order>);

/// One order.
#[derive(Debug)]
pub struct Order {
    /// What to do.
    pub action: FilterAction,
    /// With which filter.
    pub filter: String,
    reply: SyncSender<Result<String, String>>,
}

/// What is different after an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that requests notice.
    Nothing,
    /// Who decides.
    Chain,
    /// Files count that did not count before.
    Files,
}

impl Orders {
    /// A way to give orders, and where they arrive.
    pub fn new() -> (Self, Receiver<Order>) {
        let (sender, receiver) = sync_channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Gives an order and waits until it is carried out.
    ///
    /// # Errors
    /// With why it is not.
    pub fn give(&self, action: FilterAction, filter: &str) -> Result<String, String> {
        let (reply, answer) = sync_channel(1);
        let order = Order { action, filter: filter.to_owned(), reply };
        self.0.try_send(order).map_err(|_| "too many wait for the same; try again".to_owned())?;
        answer.recv_timeout(PATIENCE).map_err(|_| "it is not done yet: a filter is being compiled".to_owned())?
    }
}

impl Order {
    /// Says what came of it.
    pub fn reply(&self, outcome: Result<String, String>) {
        // Whoever asked may have gone.
        let _ = self.reply.try_send(outcome);
    }
}

impl Loader {
    /// Carries an order out, and says what was done and what is different.
    ///
    /// # Errors
    /// With why that cannot be done.
    pub fn obey(&mut self, action: FilterAction, filter: &str) -> Result<(String, Effect), String> {
        if !self.configured.contains_key(filter) {
            return Err(format!("there is no filter `{filter}` in force"));
        }
        let done = match action {
            FilterAction::Enable => return Err("that needs no reload".to_owned()),
            FilterAction::Promote => self.promote(filter)?,
            FilterAction::Rollback => self.roll_back(filter)?,
            FilterAction::Pin => self.pin(filter)?,
            FilterAction::Unpin => self.unpin(filter)?,
        };
        self.show_stages();
        tracing::info!(filter, action = action.name(), "an operator asked for it: {}", done.0);
        Ok(done)
    }

    fn promote(&mut self, name: &str) -> Result<(String, Effect), String> {
        if let Some(trial) = self.rollouts.trials.remove(name) {
            let done = format!("version {} is in full force", trial.new.component.code.manifest.version);
            let stable = self.put_in_force(name, trial.old, trial.new, true);
            self.configured.insert(name.to_owned(), stable);
            return Ok((done, Effect::Chain));
        }
        let has_rejected = |watch: &Running| self.rollouts.has_rejected_since(name, watch);
        let taken_back_beside_it = self.rollouts.watches.get(name).is_some_and(has_rejected);
        if !taken_back_beside_it && let Some(watch) = self.rollouts.watches.remove(name) {
            self.prove(&watch, "an operator says so");
            return Ok(("it is not watched any more".to_owned(), Effect::Nothing));
        }
        if self.rollouts.is_pinned_to_another(name) {
            return Err(format!("`{name}` is pinned to the version in force: `sluice filter unpin {name}` first"));
        }
        if self.rollouts.rejected.remove(name).is_some() {
            self.rollouts.unstaged.insert(name.to_owned());
            return Ok(("what was taken back comes into force again, and is not watched".to_owned(), Effect::Files));
        }
        Err(format!("there is no other version of `{name}`: none is tried, watched or taken back"))
    }

    fn roll_back(&mut self, name: &str) -> Result<(String, Effect), String> {
        let reason = "an operator took it back";
        let running = self.rollouts.trials.remove(name).or_else(|| self.rollouts.watches.remove(name));
        if let Some(running) = running {
            self.take_back(name, running, reason);
        } else {
            let previous = self.rollouts.previous.remove(name);
            let Some((new, old)) = self.configured.get(name).cloned().zip(previous) else {
                return Err(format!("there was no version of `{name}` before the one in force"));
            };
            self.go_back(name, &new, old, reason, Vec::new());
        }
        let version = self.configured.get(name).map(|configured| configured.component.code.hash.to_string());
        let digest: String = version.unwrap_or_default().chars().take(12).collect();
        Ok((format!("the version with digest {digest} is in force again"), Effect::Chain))
    }

    fn pin(&mut self, name: &str) -> Result<(String, Effect), String> {
        let in_force = self.configured.get(name).ok_or("it is gone")?;
        let hash = in_force.component.code.hash;
        self.rollouts.pinned.insert(name.to_owned(), hash);
        self.rollouts.note(Event::Pinned, in_force, None, "an operator wants it to stay");
        let digest: String = hash.to_string().chars().take(12).collect();
        Ok((format!("the component with digest {digest} stays, whatever its file says"), Effect::Files))
    }

    fn unpin(&mut self, name: &str) -> Result<(String, Effect), String> {
        let in_force = self.configured.get(name).ok_or("it is gone")?;
        if self.rollouts.pinned.remove(name).is_none() {
            return Err(format!("`{name}` is not pinned"));
        }
        self.rollouts.note(Event::Unpinned, in_force, None, "an operator lets newer versions in");
        Ok(("its file counts again".to_owned(), Effect::Files))
    }
}
