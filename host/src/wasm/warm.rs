//! How a filter comes by its instances: spares that are brought up to date where there are some, fresh ones otherwise.

use super::failure::{Failure, FailureKind};
use super::filter::{Configuration, Filter};
use super::given::{Given, Places};
use super::instance::Instance;
use super::making;
use super::time::Deadline;
use super::types::{Diagnostic, Severity};
use crate::config::limits;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What has become of a spare.
enum Renewed {
    /// It has the documents of this version.
    Ready(Vec<Diagnostic>),
    /// Documents of this version are wrong; it is as it was.
    Refused(Vec<Diagnostic>),
    /// The filter wants a fresh instance for this.
    Afresh,
}

impl Filter {
    /// Readies an instance for every worker, so that no request waits for it. The diagnostics are the same whoever is
    /// asked, since configuring is a pure function; where spares are brought up to date they are about what has changed. A filter
    /// whose calls get fresh instances is only tried.
    pub fn warm(&self) -> Result<Vec<Diagnostic>, Failure> {
        let places = Places::new(&self.configuration.documents);
        let mut ready = Vec::new();
        let mut diagnostics = None;
        while self.keeps_spares && ready.len() < self.slots.len() {
            let Some(mut spare) = self.spares.take() else { break };
            match Self::renew(&mut spare, &places, |documents| Deadline::new(time(documents))) {
                Ok(Renewed::Ready(said)) => {
                    ready.push(spare);
                    diagnostics.get_or_insert(said);
                }
                Ok(Renewed::Refused(said)) => {
                    let all = ready.into_iter().chain([spare]);
                    all.for_each(|instance| self.spares.give(instance, self.slots.len()));
                    return Ok(said);
                }
                Ok(Renewed::Afresh) => {}
                Err(failure) => {
                    tracing::warn!(filter = %self.name, %failure, "a spare could not be brought up to date");
                }
            }
        }
        for fresh in self.fresh(self.slots.len().max(1) - ready.len()) {
            let (instance, said) = fresh.inspect_err(|failure| self.count(failure))?;
            if has_error(&said) {
                return Ok(said);
            }
            ready.push(instance);
            diagnostics.get_or_insert(said);
        }
        for (slot, instance) in self.slots.iter().zip(ready) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(instance);
        }
        Ok(diagnostics.unwrap_or_default())
    }

    /// Configures one more spare where there are too few; false where there is nothing to do. It takes as long as
    /// configuring an instance does.
    pub fn prepare_spare(&self) -> bool {
        if !self.lacks_spares() {
            return false;
        }
        match self.instantiate_ahead() {
            Ok((instance, _)) => self.spares.give(instance, self.slots.len()),
            Err(failure) => {
                tracing::warn!(filter = %self.name, %failure, "no spare instance could be made");
                return false;
            }
        }
        self.lacks_spares()
    }

    /// Replaces instances that are older than the operator wants. For a thread that serves nobody: no call waits for it longer
    /// than it takes to put an instance into its place.
    pub fn recycle_old(&self) {
        let Some(age) = self.settings.resilience.recycle.age else { return };
        let is_old = |instance: &Instance| instance.store.data().started.elapsed() >= age;
        for slot in &self.slots {
            // One that is in use is looked at the next time.
            if !slot.try_lock().is_ok_and(|instance| instance.as_ref().is_some_and(is_old)) {
                continue;
            }
            match self.instantiate_ahead() {
                Ok((fresh, said)) if !has_error(&said) => {
                    let old = slot.lock().unwrap_or_else(PoisonError::into_inner).replace(fresh);
                    drop(old);
                }
                Ok(_) => {}
                Err(failure) => tracing::warn!(filter = %self.name, %failure, "an old instance could not be replaced"),
            }
        }
    }

    /// Whether another version may still give its instances back.
    pub fn has_other_versions(&self) -> bool {
        Arc::strong_count(&self.spares) > 1
    }

    fn lacks_spares(&self) -> bool {
        self.keeps_spares && self.spares.len() < self.slots.len()
    }

    /// Gives instances back that may serve another version, where this one keeps spares. A call that comes all the same gets
    /// an instance then.
    pub fn release_spares(&self) {
        if self.keeps_spares {
            self.retire();
        }
    }

    /// Gives all instances back: to other versions, or else to the system. A call that comes all the same gets an instance
    /// then.
    pub fn release(&self) {
        if self.keeps_spares && self.has_other_versions() {
            return self.retire();
        }
        for slot in &self.slots {
            let instance = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(instance);
        }
        while let Some(spare) = self.spares.take() {
            drop(spare);
        }
    }

    /// Makes spares of all instances.
    pub(super) fn retire(&self) {
        let most = self.slots.len();
        for slot in &self.slots {
            let instance = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Nothing is left of an instance in whose call the host panicked.
            if let Some(instance) = instance.filter(|instance| instance.calls_left > 0) {
                self.spares.give(instance, most);
            }
        }
    }

    /// One instance in the middle of serving.
    pub(super) fn configured(&self) -> Result<Instance, Failure> {
        making::in_service(|| self.configured_in_service())
    }

    fn configured_in_service(&self) -> Result<Instance, Failure> {
        let deadline = |documents| self.made.in_service(self.settings.deadline, time(documents));
        if self.keeps_spares
            && let Some(mut spare) = self.spares.take()
            && let Ok(Renewed::Ready(_)) =
                Self::renew(&mut spare, &Places::new(&self.configuration.documents), deadline)
        {
            return Ok(spare);
        }
        let all = deadline(self.configuration.documents.len());
        let (instance, diagnostics) = self.instantiate(all, all)?;
        match diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error) {
            Some(error) => Err(Failure::new(FailureKind::Instantiate, error.message.clone())),
            None => Ok(instance),
        }
    }

    /// So many fresh instances. Where each takes long they are made side by side; otherwise one after the other, up to the
    /// first that is refused.
    fn fresh(&self, count: usize) -> Vec<Result<(Instance, Vec<Diagnostic>), Failure>> {
        if count < 2 || !self.configuration.is_large() {
            let mut made = Vec::new();
            while made.len() < count {
                let one = self.instantiate_ahead();
                let refused = one.as_ref().map_or(true, |(_, said)| has_error(said));
                made.push(one);
                if refused {
                    break;
                }
            }
            return made;
        }
        let side_by_side = thread::available_parallelism().map_or(1, usize::from).min(count);
        let shares = (0..side_by_side).map(|thread| (count + thread) / side_by_side);
        thread::scope(|scope| {
            let threads: Vec<_> = shares
                .map(|share| scope.spawn(move || (0..share).map(|_| self.instantiate_ahead()).collect::<Vec<_>>()))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        })
    }

    /// An instance that nobody waits for.
    fn instantiate_ahead(&self) -> Result<(Instance, Vec<Diagnostic>), Failure> {
        let began = Instant::now();
        let configuring = Deadline::new(time(self.configuration.documents.len()));
        let made = self.instantiate(Deadline::new(limits::CONFIGURE_DEADLINE), configuring)?;
        self.made.note(began.elapsed());
        Ok(made)
    }

    /// An instance that may take so long to start, and so long to be configured.
    fn instantiate(&self, starting: Deadline, configuring: Deadline) -> Result<(Instance, Vec<Diagnostic>), Failure> {
        let mut instance = Instance::new(self, starting)?;
        let said = self.configure(&mut instance, configuring).map_err(|error| instance.failure(&error))?;
        instance.most_memory = self.most_memory(instance.store.data().room.memory());
        Ok((instance, said))
    }

    /// Hands an instance its settings and documents, if it wants them.
    fn configure(&self, instance: &mut Instance, deadline: Deadline) -> wasmtime::Result<Vec<Diagnostic>> {
        let Configuration { environment, documents } = &self.configuration;
        instance.begin(deadline);
        let Some(hook) = &instance.configuration else { return Ok(Vec::new()) };
        let said = hook.configure(&mut instance.store, environment, &self.settings_text, documents)?;
        if self.keeps_spares {
            instance.given = Given::all(documents);
        }
        Ok(said)
    }

    /// With how much memory an instance is replaced that had so much before its first call.
    fn most_memory(&self, configured: usize) -> usize {
        let unless_said = || {
            // What takes long to configure stays.
            if self.keeps_spares {
                return usize::MAX;
            }
            let room = self.settings.memory.saturating_sub(configured);
            self.settings.memory - room / limits::INSTANCE_ROOM_LEFT
        };
        self.settings.resilience.recycle.memory.unwrap_or_else(unless_said)
    }

    /// Brings a spare to the documents of this version. One that fails is of no more use.
    fn renew(
        spare: &mut Instance,
        places: &Places<'_>,
        deadline: impl FnOnce(usize) -> Deadline,
    ) -> Result<Renewed, Failure> {
        let Some(difference) = spare.given.difference(places) else { return Ok(Renewed::Afresh) };
        if difference.removed.is_empty() && difference.added.is_empty() {
            return Ok(Renewed::Ready(Vec::new()));
        }
        spare.begin(deadline(difference.added.len() + difference.removed.len()));
        let Some(hook) = &spare.configuration else { return Ok(Renewed::Afresh) };
        let said = match hook.update(&mut spare.store, &difference.removed, difference.first, &difference.added) {
            Ok(Some(said)) => said,
            Ok(None) => return Ok(Renewed::Afresh),
            Err(error) => return Err(spare.failure(&error)),
        };
        let refused = has_error(&said);
        let of_this_version = |mut one: Diagnostic| {
            let named = one.document.and_then(|number| spare.given.named(number, &difference));
            one.document = named.and_then(|document| places.of(document));
            one
        };
        let said = said.into_iter().map(of_this_version).collect();
        if refused {
            return Ok(Renewed::Refused(said));
        }
        spare.given.take(&difference);
        Ok(Renewed::Ready(said))
    }
}

/// For a call that hands over so many documents where nobody waits for it.
fn time(documents: usize) -> Duration {
    let documents = u32::try_from(documents).unwrap_or(u32::MAX);
    let more = limits::CONFIGURE_DOCUMENT.checked_mul(documents).unwrap_or(Duration::MAX);
    limits::CONFIGURE_DEADLINE.saturating_add(more)
}

fn has_error(said: &[Diagnostic]) -> bool {
    said.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}
