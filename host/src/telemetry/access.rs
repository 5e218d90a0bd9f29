//! Where access records go: from each worker's buffer, by one thread, to standard output or a file.
//!
//! A worker appends a line to its own buffer and goes on. The thread empties all buffers some tens of milliseconds
//! after the first line came. When the reader of the log is slower than the proxy, buffers fill up to their bound;
//! then lines are dropped and counted, as are those that cannot be written, such as on a full disk. Lines of different
//! workers within one batch are not ordered by time.

mod file;
mod writing;

use super::record::AccessRecord;
use super::shard::Sharded;
use file::LogFile;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};
use writing::Output;

/// Lines are gathered for so long before they are written: well within the tenth of a second after which a line has
/// to be visible, and long enough to write many at once.
pub const GATHER: Duration = Duration::from_millis(25);
/// What one worker's buffer holds, in bytes: some 2,500 lines, a tenth of a second of a busy worker.
pub const BUFFER_SIZE: usize = 1 << 20;
/// From so many bytes on the thread is woken at once.
const URGENT_SIZE: usize = BUFFER_SIZE / 4;
/// How long the end of the process waits for a reader that does not read.
const CLOSE: Duration = Duration::from_secs(1);

/// Writes access records. Cheap to clone; does nothing when off.
#[derive(Debug, Clone, Default)]
pub struct AccessLog(Option<Arc<Owner>>);

#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    writer: Thread,
    handle: Mutex<Option<JoinHandle<()>>>,
    /// Where there is a file: it is to be opened anew.
    reopen: Option<Arc<AtomicBool>>,
}

#[derive(Debug, Default)]
struct Shared {
    buffers: Sharded<Mutex<Vec<u8>>>,
    /// Lines wait.
    waiting: AtomicBool,
    /// A buffer is near its bound, or the log is being closed.
    urgent: AtomicBool,
    closing: AtomicBool,
    dropped: AtomicU64,
}

impl AccessLog {
    /// Writes nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn stdout() -> std::io::Result<Self> {
        Self::to(std::io::stdout())
    }

    /// Appends to a file, which [`AccessLog::reopen`] opens anew.
    ///
    /// # Errors
    /// When the file cannot be opened, or its thread cannot be started.
    pub fn file(path: &Path) -> std::io::Result<Self> {
        let reopen = Arc::new(AtomicBool::new(false));
        Self::start(LogFile::open(path, Arc::clone(&reopen))?, Some(reopen))
    }

    /// Writes to `output`.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn to(output: impl Write + Send + 'static) -> std::io::Result<Self> {
        Self::start(output, None)
    }

    fn start(output: impl Write + Send + 'static, reopen: Option<Arc<AtomicBool>>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let handle = std::thread::Builder::new().name("access-log".into()).spawn(move || theirs.run(output))?;
        let writer = handle.thread().clone();
        Ok(Self(Some(Arc::new(Owner { shared, writer, handle: Mutex::new(Some(handle)), reopen }))))
    }

    /// Appends a line, or counts it as dropped. Never waits for the output.
    pub fn write(&self, record: &AccessRecord<'_>) {
        let Some(owner) = &self.0 else { return };
        let Some(buffer) = owner.shared.buffers.mine() else { return };
        // Only ever held for a line or for the exchange of a pointer.
        let mut buffer = lock(buffer);
        if buffer.len() >= BUFFER_SIZE {
            owner.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        record.write_line(&mut buffer);
        let urgent = buffer.len() >= URGENT_SIZE;
        drop(buffer);
        let wake = !owner.shared.waiting.swap(true, Ordering::AcqRel);
        if wake || (urgent && !owner.shared.urgent.swap(true, Ordering::AcqRel)) {
            owner.writer.unpark();
        }
    }

    /// Has the next line written to a new file of the same name, where the log goes to a file.
    pub fn reopen(&self) {
        if let Some(reopen) = self.0.as_ref().and_then(|owner| owner.reopen.as_ref()) {
            reopen.store(true, Ordering::Release);
        }
    }

    /// Writes what waits, for a bounded time, and nothing more. For the end of the process, whoever still holds the log.
    pub fn close(&self) {
        if let Some(owner) = &self.0 {
            owner.close();
        }
    }

    /// Lines that were dropped because the output is too slow, or takes none.
    pub fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |owner| owner.shared.dropped.load(Ordering::Relaxed))
    }

    /// Reads the count of dropped lines for as long as the log is there.
    pub(super) fn dropped_counter(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let shared = self.0.as_ref().map(|owner| Arc::downgrade(&owner.shared)).unwrap_or_default();
        move || Weak::upgrade(&shared).map_or(0, |shared| shared.dropped.load(Ordering::Relaxed))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Owner {
    fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
        self.writer.unpark();
        let Some(handle) = lock(&self.handle).take() else { return };
        let end = Instant::now() + CLOSE;
        while !handle.is_finished() && Instant::now() < end {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

impl Shared {
    fn run(&self, output: impl Write) {
        let (mut output, mut batch) = (Output::new(output), Vec::new());
        loop {
            let closing = self.closing.load(Ordering::Acquire);
            if !closing {
                self.wait();
            }
            self.waiting.store(false, Ordering::Release);
            self.urgent.store(false, Ordering::Release);
            for buffer in self.buffers.all() {
                std::mem::swap(&mut *lock(buffer), &mut batch);
                // Whoever reads the log may have gone; that is no reason to stop serving.
                self.dropped.fetch_add(output.write(&batch), Ordering::Relaxed);
                batch.clear();
            }
            output.flush();
            if closing {
                return;
            }
        }
    }

    /// Until lines wait, and then for more to come.
    fn wait(&self) {
        let closing = || self.closing.load(Ordering::Acquire);
        while !self.waiting.load(Ordering::Acquire) && !closing() {
            std::thread::park();
        }
        let end = Instant::now() + GATHER;
        while !self.urgent.load(Ordering::Acquire) && !closing() {
            let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else { return };
            std::thread::park_timeout(left);
        }
    }
}

/// A poisoned buffer holds whole lines or a torn one at worst; the log goes on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Hands over what is written, when the test lets it.
    struct Output {
        written: Sender<Vec<u8>>,
        gate: Receiver<()>,
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if !bytes.is_empty() {
                let _ = self.gate.recv();
                let _ = self.written.send(bytes.to_vec());
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn output() -> (AccessLog, Receiver<Vec<u8>>, Sender<()>) {
        let (written, lines) = channel();
        let (open, gate) = channel();
        (AccessLog::to(Output { written, gate }).unwrap(), lines, open)
    }

    #[test]
    fn a_line_is_visible_within_a_tenth_of_a_second() {
        let (log, lines, open) = output();
        open.send(()).unwrap();
        let before = Instant::now();
        log.write(&record());
        let line = lines.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(before.elapsed() < Duration::from_millis(100), "{:?}", before.elapsed());
        assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
        drop(open);
    }

    fn newlines(bytes: &[u8]) -> usize {
        memchr::memchr_iter(b'\n', bytes).count()
    }

    #[test]
    fn a_stuck_reader_costs_lines_and_never_blocks() {
        let (log, lines, open) = output();
        let mut one = Vec::new();
        record().write_line(&mut one);
        let written = 3 * BUFFER_SIZE / one.len();
        for _ in 0..written {
            log.write(&record());
        }
        assert!(log.dropped() > 0);
        let dropped = usize::try_from(log.dropped()).unwrap();
        drop(open);
        drop(log);
        let arrived: usize = lines.iter().map(|bytes| newlines(&bytes)).sum();
        assert_eq!(arrived + dropped, written);
    }

    #[test]
    fn closing_writes_what_waits_although_somebody_holds_the_log() {
        let (log, lines, open) = output();
        drop(open);
        let held = log.clone();
        log.write(&record());
        held.close();
        assert_eq!(lines.try_iter().map(|bytes| newlines(&bytes)).sum::<usize>(), 1);
        drop(log);
    }

    #[test]
    fn the_end_writes_what_waits() {
        let (log, lines, open) = output();
        drop(open);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| log.write(&record())));
            }
        });
        drop(log);
        let text: Vec<u8> = lines.iter().flatten().collect();
        assert_eq!(newlines(&text), 200);
    }
}
