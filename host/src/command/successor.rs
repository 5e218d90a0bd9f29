//! A process that takes the place of this one: the same executable, or what is at its path by now, with the same arguments.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;

/// What the system adds to the path of an executable that has been replaced.
const REPLACED: &[u8] = b" (deleted)";

/// Starts it. It takes over by the socket that both are started with; if it cannot, this process serves on.
pub(super) fn start(takes_over: bool) {
    if !takes_over {
        return tracing::error!(
            "SIGUSR2 starts a successor where --take-over names a socket; without one nothing is done"
        );
    }
    let started = executable().and_then(|program| {
        // The time within which the service manager wants to hear of this process is the successor's too.
        Command::new(program).args(std::env::args_os().skip(1)).env_remove("WATCHDOG_PID").spawn()
    });
    match started {
        Ok(mut child) => {
            tracing::info!(process = child.id(), "a successor was started");
            // When it ends before this process does, it has failed.
            std::thread::spawn(move || match child.wait() {
                Ok(status) => tracing::error!(%status, "the successor has ended; this process serves on"),
                Err(error) => tracing::error!(%error, "what became of the successor is not known"),
            });
        }
        Err(error) => tracing::error!(%error, "no successor could be started; this process serves on"),
    }
}

fn executable() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let bytes = path.as_os_str().as_bytes();
    Ok(PathBuf::from(OsStr::from_bytes(bytes.strip_suffix(REPLACED).unwrap_or(bytes))))
}
