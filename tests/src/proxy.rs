//! The real proxy, as a process.

mod command;
mod signals;

use crate::client::{Answer, Client, Request};
use crate::directory::Directory;
use crate::options::Options;
use crate::wait::wait_until;
use command::{addresses_in, command, log_file, ready_file};
use std::fs;
use std::net::SocketAddr;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A development build compiles its filters at the start, perhaps on a busy machine.
const START: Duration = Duration::from_mins(1);
/// How much of the log a failure shows, in bytes: the end of it is what matters.
const SHOWN_LOG: usize = 16 << 10;
/// Pages are of this size on every machine the tests run on.
const PAGE: u64 = 4096;

/// A running proxy. Dropping it kills it; if the test is failing, its log is shown.
#[derive(Debug)]
pub struct Proxy {
    child: Child,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    manifests: Arc<Directory>,
    filters: Arc<Directory>,
    state: Directory,
}

impl Proxy {
    /// Starts the proxy and waits until it takes requests.
    ///
    /// # Panics
    /// When it does not start, with its log.
    #[track_caller]
    pub fn start(options: Options) -> Self {
        match Self::try_start(options) {
            Ok(proxy) => proxy,
            Err(log) => panic!("the proxy did not start:\n{log}"),
        }
    }

    /// Starts the proxy, or returns what it said when it refused to start.
    ///
    /// # Errors
    /// Its log, when it ends or is not ready in time.
    pub fn try_start(options: Options) -> Result<Self, String> {
        let (manifests, filters) = (Arc::new(Directory::new()), Arc::new(Directory::new()));
        for (file, content) in &options.manifests {
            manifests.write(file, content);
        }
        for (file, component) in &options.filters {
            fs::copy(component, filters.file(file)).expect("a component can be copied");
        }
        Self::run(options, manifests, filters, ("127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned()))
    }

    /// Starts another process with the same directories and addresses, and waits until it takes requests.
    ///
    /// # Errors
    /// Its log, when it ends or is not ready in time.
    pub fn successor(&self, options: Options) -> Result<Self, String> {
        let addresses = (self.address.to_string(), self.admin().to_string());
        Self::run(options, Arc::clone(&self.manifests), Arc::clone(&self.filters), addresses)
    }

    /// The same, without a wait: it has the addresses of this one, whose place it has yet to take.
    #[must_use]
    pub fn begin_successor(&self, options: Options) -> Self {
        let addresses = (self.address.to_string(), self.admin().to_string());
        let mut begun = Self::spawn(options, Arc::clone(&self.manifests), Arc::clone(&self.filters), addresses);
        (begun.address, begun.admin) = (self.address, self.admin);
        begun
    }

    fn run(
        options: Options,
        manifests: Arc<Directory>,
        filters: Arc<Directory>,
        addresses: (String, String),
    ) -> Result<Self, String> {
        // From here on a failure drops, and so ends, the child.
        let mut proxy = Self::spawn(options, manifests, filters, addresses);
        let (address, admin) = proxy.wait_for_addresses()?;
        (proxy.address, proxy.admin) = (address, admin);
        Ok(proxy)
    }

    fn spawn(
        options: Options,
        manifests: Arc<Directory>,
        filters: Arc<Directory>,
        (listen, admin): (String, String),
    ) -> Self {
        let state = Directory::new();
        let mut command = command(options, &manifests, &filters, &state);
        let child = command.args(["--listen", &listen, "--admin", &admin]).spawn().expect("the proxy can be started");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { child, address, admin: None, manifests, filters, state }
    }

    /// Where it takes requests.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its admin endpoints are.
    ///
    /// # Panics
    /// When it has none.
    pub fn admin(&self) -> SocketAddr {
        self.admin.expect("the proxy has an admin listener")
    }

    /// The directory of manifests that it watches.
    pub fn manifests(&self) -> &Directory {
        &self.manifests
    }

    /// The directory of filters that it watches.
    pub fn filters(&self) -> &Directory {
        &self.filters
    }

    /// Sends a GET on a connection of its own. The URL's host is the authority, not an address.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn get(&self, url: &str) -> Answer {
        self.send(Request::get(url))
    }

    /// Sends a request on a connection of its own.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn send(&self, request: Request) -> Answer {
        self.connect().send(request).expect("the proxy answers")
    }

    /// A kept connection to it.
    #[track_caller]
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Asks an admin endpoint, such as `/filters`.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn ask_admin(&self, path: &str) -> Answer {
        Client::connect(self.admin()).send(Request::get(&format!("http://localhost{path}"))).expect("the admin answers")
    }

    /// Everything it has printed so far, access log included.
    pub fn log(&self) -> String {
        fs::read_to_string(log_file(&self.state)).unwrap_or_default()
    }

    /// Waits until a line of the log holds the text, and returns the line.
    ///
    /// # Panics
    /// When none does within the limit.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str, limit: Duration) -> String {
        let found = || self.log().lines().find(|line| line.contains(text)).map(str::to_owned);
        wait_until(limit, || found().is_some());
        found().expect("the log only grows")
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The digest of the component that a filter runs.
    pub fn digest_of(&self, filter: &str) -> String {
        let filters = self.ask_admin("/filters").json();
        let mut filters = filters.as_array().expect("a list").iter();
        filters.find(|one| one["name"] == filter).expect("it is there")["digest"].to_string()
    }

    /// Its memory that is in use, in bytes.
    pub fn resident_memory(&self) -> u64 {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.process())).expect("the proxy is running");
        let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
        pages.expect("the second field is the resident pages") * PAGE
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it has not within the limit.
    #[track_caller]
    pub fn wait_for_end(&mut self, limit: Duration) -> ExitStatus {
        let mut status = None;
        wait_until(limit, || {
            status = self.child.try_wait().expect("the proxy is a child of this test");
            status.is_some()
        });
        status.expect("it has ended")
    }

    fn wait_for_addresses(&mut self) -> Result<(SocketAddr, Option<SocketAddr>), String> {
        let start = Instant::now();
        let mut addresses = None;
        let mut ended = None;
        // The limit of the wait itself is never met: both ways out are inside.
        wait_until(START * 2, || {
            addresses = fs::read_to_string(ready_file(&self.state)).ok().as_deref().and_then(addresses_in);
            ended = self.child.try_wait().ok().flatten();
            addresses.is_some() || ended.is_some() || start.elapsed() > START
        });
        addresses.ok_or_else(|| match ended {
            Some(status) => format!("it ended ({status})\n{}", self.log()),
            None => format!("it was not ready within {START:?}\n{}", self.log()),
        })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(SHOWN_LOG);
            let from = (from..=log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or_default();
            eprintln!("the proxy's log:\n{}", log.get(from..).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    /// A program that does what the script says; `$ready` is the file to write.
    fn stand_in(directory: &Directory, script: &str) -> Options {
        let find = "while [ $# -gt 0 ]; do [ \"$1\" = --ready-file ] && ready=$2; shift; done";
        directory.write("proxy", format!("#!/bin/sh\necho \"$@\"\n{find}\n{script}\n"));
        fs::set_permissions(directory.file("proxy"), fs::Permissions::from_mode(0o755)).unwrap();
        Options::new().program(directory.file("proxy"))
    }

    const READY: &str = r#"echo '{"listening":["127.0.0.1:81","[::1]:81"],"admin":"127.0.0.1:82"}' > "$ready""#;

    #[test]
    fn the_addresses_come_from_the_ready_file() {
        let directory = Directory::new();
        let options = stand_in(&directory, &format!("{READY}\nexec sleep 60")).manifest("a.yaml", "kind: A");
        let proxy = Proxy::start(options.upstream("stock", ([127, 0, 0, 1], 9).into()));
        assert_eq!((proxy.address().port(), proxy.admin().port()), (81, 82));
        assert_eq!(fs::read_to_string(proxy.manifests().file("a.yaml")).unwrap(), "kind: A");
        let line = proxy.wait_for_log("run --manifests", Duration::from_secs(5));
        assert!(line.contains("--upstream stock=127.0.0.1:9") && line.contains("--workers 1"), "{line}");
        assert!(proxy.resident_memory() > 0);
    }

    #[test]
    fn a_dropped_proxy_is_gone() {
        let directory = Directory::new();
        let proxy = Proxy::start(stand_in(&directory, &format!("{READY}\nexec sleep 60")));
        let process = format!("/proc/{}", proxy.process());
        assert!(Path::new(&process).exists());
        drop(proxy);
        assert!(!Path::new(&process).exists());
    }

    #[test]
    fn a_proxy_that_refuses_to_start_says_why() {
        let directory = Directory::new();
        let said = Proxy::try_start(stand_in(&directory, "echo bad manifest >&2; exit 1")).unwrap_err();
        assert!(said.contains("bad manifest") && said.contains("exit status: 1"), "{said}");
    }

    #[test]
    fn a_request_to_end_is_obeyed_and_seen() {
        let directory = Directory::new();
        let mut proxy = Proxy::start(stand_in(&directory, &format!("{READY}\nexec sleep 60")));
        proxy.terminate();
        assert!(!proxy.wait_for_end(Duration::from_secs(5)).success());
    }

    #[test]
    fn half_a_ready_file_is_not_ready() {
        assert_eq!(addresses_in(r#"{"listening":["127.0"#), None);
        let listening = addresses_in(r#"{"listening":["127.0.0.1:80"],"admin":null}"#).unwrap();
        assert_eq!(listening, (([127, 0, 0, 1], 80).into(), None));
    }
}
