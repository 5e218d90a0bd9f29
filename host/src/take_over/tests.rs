//! Both sides, in one process.

use super::wire::{Message, VERSION, hear, say};
use super::*;
use crate::listener::Inherited;
use crate::unix_socket::{self, SocketFile};
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// One listening socket, and what was asked of its process.
struct Process {
    listener: TcpListener,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl HandsOver for Process {
    fn sockets(&self) -> io::Result<Vec<Listening>> {
        Ok(vec![Listening::Tcp(OwnedFd::from(self.listener.try_clone()?))])
    }

    fn leave(&self) {
        self.asked.lock().unwrap().push("leave");
    }

    fn keep(&self) {
        self.asked.lock().unwrap().push("keep");
    }

    fn release(&self) {
        self.asked.lock().unwrap().push("release");
    }

    fn resume(&self) {
        self.asked.lock().unwrap().push("resume");
    }

    fn retire(&self) {
        self.asked.lock().unwrap().push("retire");
    }
}

impl Process {
    /// What it was asked so far is in the list.
    fn new() -> (Self, Arc<Mutex<Vec<&'static str>>>) {
        let asked = Arc::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        (Self { listener, asked: Arc::clone(&asked) }, asked)
    }
}

/// A directory, and where in it processes meet.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("take-over.sock");
    (directory, path)
}

fn begin(path: &Path) -> TakeOver {
    TakeOver::begin(path, &Inherited::default()).unwrap().unwrap()
}

async fn until(asked: &Mutex<Vec<&'static str>>, all: &[&str]) {
    let same = || *asked.lock().unwrap() == all;
    for _ in 0..1_000 {
        if same() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} is not {all:?}", asked.lock().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_too_long_is_told_that_the_other_process_serves_on() {
    let ((_directory, path), (process, asked)) = (place(), Process::new());
    let soon = Duration::from_millis(500);
    let mut offer = Offer::patient(soon, unix_socket::bind(&path).unwrap(), process).unwrap();

    let late = begin(&path);
    late.prepared().unwrap();
    until(&asked, &["leave", "release", "resume", "keep"]).await;
    let error = late.ready().unwrap_err();
    assert!(error.to_string().contains("it took too long"), "{error}");

    let taking = begin(&path);
    taking.prepared().unwrap();
    assert!(taking.ready().unwrap());
    assert_eq!(offer.handed().await, Handed { process: std::process::id() });
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fails_before_it_serves_leaves_all_to_the_process_that_is_there() {
    let ((_directory, path), (process, asked)) = (place(), Process::new());
    assert!(TakeOver::begin(&path, &Inherited::default()).unwrap().is_none(), "nobody is there");
    let address = process.listener.local_addr().unwrap();
    let mut offer = Offer::start(unix_socket::bind(&path).unwrap(), process).unwrap();

    let inherited = Inherited::default();
    drop(TakeOver::begin(&path, &inherited).unwrap().unwrap());
    assert_eq!(inherited.take_tcp(address).len(), 1);
    until(&asked, &["leave", "keep"]).await;
    let failing = begin(&path);
    failing.prepared().unwrap();
    assert_eq!(asked.lock().unwrap()[2..], ["leave", "release"]);
    drop(failing);

    let inherited = Inherited::default();
    let taking = TakeOver::begin(&path, &inherited).unwrap().unwrap();
    assert_eq!(asked.lock().unwrap()[4..], ["resume", "keep", "leave"]);
    taking.prepared().unwrap();
    assert!(inherited.take_unix(&path).is_some(), "the socket of the hand-over itself goes along");
    assert!(taking.ready().unwrap());
    assert_eq!(offer.handed().await, Handed { process: std::process::id() });
    assert_eq!(asked.lock().unwrap()[7..], ["release", "retire"]);
    drop(offer);
    assert!(path.exists(), "it is the other process's now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_while_it_hands_over_leaves_the_file_to_the_next() {
    let ((_directory, path), (process, asked)) = (place(), Process::new());
    let offer = Offer::start(unix_socket::bind(&path).unwrap(), process).unwrap();
    let inherited = Inherited::default();
    let taking = TakeOver::begin(&path, &inherited).unwrap().unwrap();
    // As a drain does, with requests left: the hand-over goes on.
    drop(offer);
    assert!(path.exists());
    taking.prepared().unwrap();
    assert!(taking.ready().unwrap());
    until(&asked, &["leave", "release", "retire"]).await;
    let _listener = inherited.take_unix(&path).unwrap();
    assert!(UnixStream::connect(&path).is_ok(), "another one finds the next process");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_a_process_s_own_again_once_the_next_has_failed() {
    let ((_directory, path), (process, asked)) = (place(), Process::new());
    let offer = Offer::start(unix_socket::bind(&path).unwrap(), process).unwrap();
    drop(begin(&path));
    until(&asked, &["leave", "keep"]).await;
    drop(offer);
    assert!(!path.exists());
}

/// A process that says these things, however it is answered, and ends.
fn ending(path: &Path, says: Vec<Message>) -> (SocketFile, std::thread::JoinHandle<()>) {
    let (listener, file): (UnixListener, _) = unix_socket::bind(path).unwrap();
    let run = move || {
        let (stream, _) = listener.accept().unwrap();
        for message in says {
            assert!(matches!(hear(&stream).unwrap(), Message::TakeOver { version: VERSION, .. } | Message::Prepared));
            say(&stream, &message).unwrap();
        }
    };
    (file, std::thread::spawn(run))
}

#[test]
fn who_is_prepared_and_finds_that_the_other_process_has_ended_goes_on() {
    let (_directory, path) = place();
    let (_file, process) = ending(&path, vec![Message::Sockets(Vec::new())]);
    let taking = begin(&path);
    process.join().unwrap();
    taking.prepared().unwrap();
    assert!(!taking.ready().unwrap(), "it has ended by itself");
}

#[test]
fn who_is_prepared_and_refused_then_does_not_go_on_although_the_connection_has_ended() {
    let (_directory, path) = place();
    let (listener, _file) = unix_socket::bind(&path).unwrap();
    let process = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        hear(&stream).unwrap();
        say(&stream, &Message::Sockets(Vec::new())).unwrap();
        say(&stream, &Message::Refused("not now".to_owned())).unwrap();
    });
    let taking = begin(&path);
    process.join().unwrap();
    let error = taking.prepared().unwrap_err();
    assert!(error.to_string().contains("not now"), "{error}");
}

#[test]
fn who_comes_while_the_other_process_ends_finds_nobody() {
    let (_directory, path) = place();
    let (_file, process) = ending(&path, Vec::new());
    assert!(TakeOver::begin(&path, &Inherited::default()).unwrap().is_none());
    process.join().unwrap();
}
