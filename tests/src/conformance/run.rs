//! Runs files of cases: a proxy and its backends for each, then case by case.

use super::backend::Backend;
use super::exchange::Exchange;
use super::expect::{self, Exchanged};
use super::file::{Case, File};
use super::load;
use super::service;
use crate::options::Options;
use crate::proxy::Proxy;
use crate::tls::Authority;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_rustls::TlsAcceptor;

/// Draws of a case that is about chance. One in twenty draws of a fair share may be off; four in a row are not chance.
const DRAWS: usize = 4;
/// A copy arrives after its original has been answered; this is long for it.
const COPIES: Duration = Duration::from_secs(1);
/// Copies that should not arrive have arrived within this.
const NO_COPIES: Duration = Duration::from_millis(50);
/// Files that run at the same time. Each is a proxy that mostly waits.
const WORKERS: usize = 2;

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseResult {
    /// `FILE/CASE`.
    pub name: String,
    /// What is not as expected; empty when it passed.
    pub failures: Vec<String>,
    /// What else there is to say of it; may be empty.
    pub remark: String,
}

impl CaseResult {
    fn new(name: String, failures: Vec<String>) -> Self {
        Self { name, failures, remark: String::new() }
    }
}

/// Runs all cases whose name holds `only`, in the order of the files.
///
/// # Panics
/// When the proxy has not been built.
pub fn run(files: &[File], only: Option<&str>) -> Vec<CaseResult> {
    in_parallel(files, |file| of_file(file, only)).into_iter().flatten().collect()
}

/// Does the same with each, a few at a time; the results are in the order of the items.
pub(super) fn in_parallel<I: Sync, R: Send>(items: &[I], work: impl Fn(&I) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    results.lock().expect("no worker panics while it holds this").insert(index, result);
                }
            });
        }
    });
    results.into_inner().expect("no worker panics while it holds this").into_values().collect()
}

fn of_file(file: &File, only: Option<&str>) -> Vec<CaseResult> {
    let named = |case: &str| format!("{}/{case}", file.name);
    let wanted = |case: &str| only.is_none_or(|only| named(case).contains(only));
    let cases: Vec<&Case> = file.cases.iter().filter(|case| wanted(&case.name)).collect();
    let mut results = Vec::new();
    if !cases.is_empty() {
        let stage = Stage::start(file);
        results.extend(cases.iter().map(|case| {
            let failures = match &stage {
                Ok(stage) => stage.case(case),
                Err(said) => vec![format!("the proxy did not start: {said}")],
            };
            CaseResult::new(named(&case.name), failures)
        }));
    }
    let loads = file.loads.cases.iter().filter(|load| wanted(&load.name));
    results.extend(loads.map(|load| CaseResult::new(named(&load.name), load::check(&file.loads, load))));
    results
}

/// Starts a backend.
fn backend(name: &str, declared: &super::file::Backend, authority: &Authority) -> Backend {
    let names = declared.tls.as_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
    let acceptor = |names: Vec<&str>| {
        let mut tls = authority.issue(&names).server(None);
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(tls))
    };
    Backend::start(name, names.map(acceptor))
}

/// A proxy with its backends.
struct Stage {
    backends: BTreeMap<String, Backend>,
    proxy: Proxy,
    /// Who has issued the certificates.
    authority: Authority,
    /// Declared ports and where they are.
    ports: Vec<(u16, SocketAddr)>,
}

impl Stage {
    fn start(file: &File) -> Result<Self, String> {
        let authority = Authority::new();
        let backends: BTreeMap<String, Backend> =
            file.backends.iter().map(|(name, declared)| (name.clone(), backend(name, declared, &authority))).collect();
        let mut manifests = file.manifests.clone();
        let mut options = Options::new();
        for (name, backend) in &backends {
            manifests = manifests.replace(&format!("${{{name}.ip}}"), &backend.address.ip().to_string());
            manifests = manifests.replace(&format!("${{{name}.port}}"), &backend.address.port().to_string());
            let Some(declared) = file.backends.get(name) else { continue };
            let own = if declared.service.is_some() { Vec::new() } else { vec![name.clone()] };
            let serves = declared.serves.as_ref().unwrap_or(&own);
            options = serves.iter().fold(options, |options, service| options.upstream(service, backend.address));
            if let Some(documents) = service::documents(declared, backend.address) {
                options = options.manifest(&format!("backend-{name}.yaml"), documents);
            }
        }
        let ports: Vec<(u16, SocketAddr)> = file.ports.iter().map(|port| (*port, free_port())).collect();
        for (declared, address) in &ports {
            options = options.argument("--gateway-port").argument(format!("{declared}={address}"));
        }
        for (name, hosts) in &file.certificates {
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            options = options.manifest(&format!("secret-{name}.yaml"), authority.issue(&hosts).secret(name, &[]));
        }
        if !manifests.is_empty() {
            options = options.manifest("cases.yaml", manifests);
        }
        let proxy = Proxy::try_start(options).map_err(|log| errors_in(&log))?;
        Ok(Self { backends, proxy, authority, ports })
    }

    /// Everything about a case that is not as expected. A case that is about chance may be drawn again.
    fn case(&self, case: &Case) -> Vec<String> {
        let is_range = |arrived: &serde_json::Value| arrived.is_array();
        let chance = !case.expect.share.is_empty() || case.expect.arrived.values().any(is_range);
        let mut failures = Vec::new();
        for _ in 0..if chance { DRAWS } else { 1 } {
            failures = self.draw(case);
            if failures.is_empty() {
                break;
            }
        }
        failures
    }

    fn draw(&self, case: &Case) -> Vec<String> {
        for (name, backend) in &self.backends {
            backend.reset(case.script.get(name).map(Vec::as_slice).unwrap_or_default());
        }
        let Some(address) = self.address(case.listener) else {
            return vec!["the file declares no such port".into()];
        };
        let mut exchange = Exchange::new(case, address, &self.authority);
        let mut answered = Vec::new();
        for number in 1..=case.repeat.unwrap_or(1) {
            let answer = match exchange.send() {
                Ok(_) if case.expect.refused => return vec!["an answer, where none was expected".into()],
                Err(_) if case.expect.refused => continue,
                Ok(answer) => answer,
                Err(error) => return vec![format!("no answer: {error}")],
            };
            let mut exchanged = Exchanged { answer, arrived: None };
            exchanged.arrived = exchanged
                .backend()
                .and_then(|name| self.backends.get(name))
                .and_then(|backend| backend.arrived().pop());
            let failures = expect::of_answer(&case.expect, &exchanged);
            if !failures.is_empty() {
                let which =
                    |failure| if case.repeat.is_some() { format!("{failure} (request {number})") } else { failure };
                return failures.into_iter().map(which).collect();
            }
            answered.push(exchanged.backend().map(str::to_owned));
        }
        let mut failures = expect::of_repetitions(&case.expect, &answered);
        failures.extend(self.arrivals(case));
        failures
    }

    /// Waits until as many requests have arrived as should, and none that should not.
    fn arrivals(&self, case: &Case) -> Vec<String> {
        let expect = &case.expect;
        if expect.arrived.is_empty() && expect.copies.is_empty() {
            return Vec::new();
        }
        let start = Instant::now();
        let count = |name: &str| self.backends.get(name).map_or(0, |backend| backend.arrived().len());
        let missing = || expect.copies.keys().any(|name| count(name) == 0);
        while start.elapsed() < COPIES && (missing() || !expect::of_arrivals(expect, count).is_empty()) {
            pause(Duration::from_millis(5));
        }
        pause(NO_COPIES);
        let mut failures = expect::of_arrivals(expect, count);
        for (name, seen) in &expect.copies {
            match self.backends.get(name).and_then(|backend| backend.arrived().pop()) {
                Some(arrived) => failures.extend(expect::of_seen(&format!("{name}'s"), seen, &arrived, Some(name))),
                None => failures.push(format!("nothing arrived at {name}")),
            }
        }
        failures
    }

    fn address(&self, listener: Option<u16>) -> Option<SocketAddr> {
        match listener {
            Some(declared) => self.ports.iter().find(|(port, _)| *port == declared).map(|(_, address)| *address),
            None => Some(self.ports.first().map_or_else(|| self.proxy.address(), |(_, address)| *address)),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a test's own thread is no worker")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A port that was free a moment ago.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("a listener has an address")
}

/// What a log says of why the proxy did not start.
fn errors_in(log: &str) -> String {
    let said: Vec<&str> =
        log.lines().map(str::trim).filter(|line| line.contains("error") || line.contains("ERROR")).collect();
    if said.is_empty() { log.lines().next().unwrap_or("it said nothing").to_owned() } else { said.join("; ") }
}
