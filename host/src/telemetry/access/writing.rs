//! Lines on their way out, and those that get lost there.

use std::io::{ErrorKind, Write};

/// An output that may fail for a while, such as a file on a full disk. It says so once, and once that it works again.
pub(super) struct Output<W> {
    inner: W,
    failing: bool,
}

impl<W: Write> Output<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, failing: false }
    }

    /// Writes lines, and returns how many of them are not, or not wholly, written.
    pub(super) fn write(&mut self, lines: &[u8]) -> u64 {
        let mut rest = lines;
        while !rest.is_empty() {
            let failure = match self.inner.write(rest) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            if !self.failing {
                self.failing = true;
                tracing::error!(error = %failure, "access records cannot be written; they are counted as dropped");
            }
            return memchr::memchr_iter(b'\n', rest).map(|_| 1_u64).sum();
        }
        if self.failing && !lines.is_empty() {
            self.failing = false;
            tracing::info!("access records are written again");
        }
        0
    }

    pub(super) fn flush(&mut self) {
        // What has been written has left this process; what has not is counted.
        let _ = self.inner.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::record::tests::record;
    use super::super::AccessLog;
    use super::*;
    use std::io;

    /// Takes so many bytes at most in one go, and as many in all until it has room again.
    struct Disk {
        written: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(5).min(self.room);
            if taken == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room -= taken;
            self.written.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_are_cut_or_not_written_are_counted_until_there_is_room_again() {
        let mut output = Output::new(Disk { written: Vec::new(), room: 10 });
        assert_eq!(output.write(b"one\ntwo\nthree\nfour\n"), 2);
        assert_eq!(output.write(b"five\n"), 1);
        assert!(output.failing);
        output.inner.room = 100;
        assert_eq!((output.write(b""), output.failing), (0, true));
        assert_eq!((output.write(b"six\n"), output.failing), (0, false));
        assert_eq!(output.inner.written, b"one\ntwo\nthsix\n");
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let log = AccessLog::to(Gone).unwrap();
        (0..3).for_each(|_| log.write(&record()));
        log.close();
        assert_eq!(log.dropped(), 3);
    }
}
