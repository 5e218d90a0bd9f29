//! The thread on which the connections to a server live, apart from those that serve requests.

use std::future::Future;
use std::io;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A thread with a runtime of its own. Cancelling `end` ends it, and what runs on it.
#[derive(Debug)]
pub(in crate::event::store) struct Thread {
    pub(in crate::event::store) runtime: Handle,
    pub(in crate::event::store) end: CancellationToken,
    /// Subscriptions that the server is to forget before the end.
    removals: TaskTracker,
    /// What else is to be done before the end.
    last: TaskTracker,
}

impl Thread {
    /// Starts it, and waits for what `begin` gives, which runs there.
    pub(in crate::event::store) fn start<T: Send + 'static>(
        name: &str,
        begin: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<(Self, T)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, removals, last) = (CancellationToken::new(), TaskTracker::new(), TaskTracker::new());
        let thread = Self { runtime: runtime.handle().clone(), end, removals, last };
        let ended = thread.end.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async {
                // Only the store waits for this, and it is gone where sending fails.
                let _ = sender.send(begin.await);
                ended.cancelled().await;
            });
        })?;
        let given = receiver.recv().map_err(io::Error::other)??;
        Ok((thread, given))
    }

    /// Begins a task that ends with the thread.
    pub(in crate::event::store) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// Begins something that the server is to hear before the process ends.
    pub(in crate::event::store) fn tell(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.last.spawn_on(task, &self.runtime);
    }

    /// Begins to have the server forget a subscription.
    pub(in crate::event::store) fn forget(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.removals.spawn_on(task, &self.runtime);
    }

    /// Waits until the server has forgotten what it was told to.
    pub(in crate::event::store) async fn forgotten(&self) {
        self.removals.close();
        self.removals.wait().await;
    }

    /// Waits until all is done that it was to hear before.
    pub(in crate::event::store) async fn told(&self) {
        self.last.close();
        self.last.wait().await;
    }
}
