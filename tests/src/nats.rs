//! A real NATS server with JetStream.

use crate::artifact;
use crate::directory::Directory;
use crate::wait::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// For the server to listen: it reads its streams first.
const START: Duration = Duration::from_secs(30);

/// A server on a free port, which it keeps through restarts. Dropping it kills it.
#[derive(Debug)]
pub struct NatsServer {
    address: SocketAddr,
    directory: Directory,
    child: Option<Child>,
}

impl NatsServer {
    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn start() -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let mut server = Self { address: free.expect("a port is free"), directory: Directory::new(), child: None };
        server.restart();
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// As a client takes it.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Kills it; what it has stored stays.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only when it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Has it answer nothing, with its connections open.
    ///
    /// # Panics
    /// When it does not run, or does not stop.
    #[track_caller]
    pub fn hang(&self) {
        self.signal(Signal::STOP);
        // Its threads stop one after the other.
        wait_until(START, || self.threads().iter().all(|stat| stat.contains(") T ")));
    }

    /// Has it go on after [`hang`](Self::hang).
    ///
    /// # Panics
    /// When it does not run.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// What the system says of each of its threads.
    fn threads(&self) -> Vec<String> {
        let child = self.child.as_ref().expect("the server runs");
        let threads = std::fs::read_dir(format!("/proc/{}/task", child.id())).expect("the server runs");
        let stat =
            |thread: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok();
        threads.filter_map(stat).collect()
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the server runs");
        kill_process(Pid::from_child(child), signal).expect("the server runs");
    }

    /// Starts it again.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        let log = File::create(self.directory.file("log")).expect("a log can be written");
        let mut command = Command::new(artifact::nats_server());
        command.args(["--addr", "127.0.0.1", "--port", &self.address.port().to_string(), "--jetstream"]);
        command.arg("--store_dir").arg(self.directory.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        self.child = Some(command.spawn().expect("the server can be started"));
        wait_until(START, || TcpStream::connect(self.address).is_ok());
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.stop();
    }
}
