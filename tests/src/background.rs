//! The thread on which the tests' own sockets live, so that tests themselves can be plain blocking functions.

use std::future::Future;
use std::sync::{LazyLock, mpsc};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};

/// No single exchange of a test takes this long; what does is stuck.
const LIMIT: Duration = Duration::from_mins(2);

static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        sender.send(runtime.handle().clone()).expect("the starter waits");
        runtime.block_on(std::future::pending::<()>());
    });
    receiver.recv().expect("the runtime's thread starts")
});

/// Runs a task for as long as the test program lives, unless it is aborted.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> tokio::task::AbortHandle {
    RUNTIME.spawn(task).abort_handle()
}

/// Runs something to its end and waits for it.
#[track_caller]
pub(crate) fn run<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    RUNTIME.spawn(async move {
        let result = task.await;
        // Nobody waits any more when the limit below has passed.
        let _ = sender.send(result);
    });
    receiver.recv_timeout(LIMIT).expect("an exchange ends in time, and its task does not panic")
}

/// Aborts a task when it is dropped.
#[derive(Debug)]
pub(crate) struct AbortOnDrop(pub(crate) tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
