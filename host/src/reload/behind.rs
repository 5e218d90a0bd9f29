//! Large components are compiled by a thread of their own, one after the other, while what is in force serves.
//!
//! A component with a language runtime takes ten seconds and more. Meanwhile other changes come into force, and versions that
//! are watched are taken back.

use crate::wasm::engine::ContentHash;
use crate::wasm::{Code, Crew, Refusal, Runtime};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

/// How often the thread is asked whether it is done.
pub(super) const LOOK: Duration = Duration::from_millis(20);
/// How much less the thread matters than workers: a tenth of a processor where they want all of it. More would be felt by
/// requests, and at idle priority a busy machine would never be done.
const NICE: i32 = 10;

/// What a component is made of beside its name.
type Key = (ContentHash, Vec<String>);

/// What is compiled, and what has been.
#[derive(Debug, Default)]
pub(super) struct Behind {
    running: Option<(Key, Receiver<Compiled>)>,
    /// Until it is forgotten.
    done: HashMap<Key, Compiled>,
}

/// What came of it, and how long it took.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) code: Result<Arc<Code>, Refusal>,
    pub(super) took: Duration,
}

impl Behind {
    /// Whether something is being compiled.
    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// Whether something has been compiled since this was asked last.
    pub(super) fn is_done(&mut self) -> bool {
        let Some((key, receiver)) = &self.running else { return false };
        match receiver.try_recv() {
            Ok(compiled) => {
                self.done.insert(key.clone(), compiled);
                self.running = None;
                true
            }
            Err(TryRecvError::Empty) => false,
            // The compiler panicked: without a result the component is begun anew, by whoever loads it.
            Err(TryRecvError::Disconnected) => {
                self.running = None;
                true
            }
        }
    }

    /// What came of a component.
    pub(super) fn known(&self, hash: ContentHash, granted: &[String]) -> Option<Compiled> {
        self.done.get(&(hash, granted.to_vec())).cloned()
    }

    /// What came of it is not needed any more.
    pub(super) fn forget(&mut self) {
        self.done.clear();
    }

    /// Begins with a component, unless another is being compiled: then it is asked for again when that is done. False when
    /// there is no thread for it.
    pub(super) fn begin(&mut self, runtime: &Arc<Runtime>, name: &str, bytes: &[u8], key: Key) -> bool {
        if self.running.is_some() {
            return true;
        }
        let (sender, receiver) = sync_channel(1);
        let (runtime, owned, bytes, granted) = (Arc::clone(runtime), name.to_owned(), bytes.to_vec(), key.1.clone());
        let run = move || {
            // On Linux this is the thread's own priority, not the process's.
            if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                tracing::debug!(%error, "components are compiled at normal priority");
            }
            let began = Instant::now();
            let code = runtime.load(&owned, &bytes, &granted, Crew::One).map(Arc::new);
            // Nobody waits any more when the proxy ends.
            let _ = sender.send(Compiled { code, took: began.elapsed() });
        };
        match std::thread::Builder::new().name("compile".into()).spawn(run) {
            Ok(_) => {
                tracing::info!(filter = name, "the component is large, and is compiled behind what is in force");
                self.running = Some((key, receiver));
                true
            }
            Err(error) => {
                tracing::warn!(%error, "there is no thread to compile in");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_component_at_a_time_and_its_result_is_for_whoever_asks_for_the_same() {
        let runtime = Arc::new(Runtime::new(None).unwrap());
        let mut behind = Behind::default();
        let key = |number: u8| (ContentHash([number; 32]), vec!["log".to_owned()]);
        assert!(behind.begin(&runtime, "a", b"no component", key(1)));
        assert!(behind.begin(&runtime, "b", b"no component", key(2)), "it waits for its turn");
        let began = Instant::now();
        while !behind.is_done() {
            assert!(began.elapsed() < Duration::from_mins(1), "it never ends");
            std::thread::yield_now();
        }
        assert!(!behind.is_busy());
        assert!(behind.known(ContentHash([1; 32]), &[]).is_none(), "it was compiled with other grants");
        assert!(behind.known(ContentHash([2; 32]), &key(2).1).is_none());
        for _ in 0..2 {
            let compiled = behind.known(ContentHash([1; 32]), &key(1).1).unwrap();
            assert!(matches!(compiled.code, Err(Refusal::NotAComponent(_))), "a load that fails is tried again");
        }
        behind.forget();
        assert!(behind.known(ContentHash([1; 32]), &key(1).1).is_none());
    }
}
