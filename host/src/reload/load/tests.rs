//! What files hold and names lead to takes effect, also after a while in which something beside was broken.

use super::*;
use crate::config::Flags;
use crate::telemetry::AccessLog;
use crate::telemetry::trace::Tracer;
use crate::tls::testing::{Authority, Pair};
use crate::tls::{Action, Servers};
use rustls::ServerConfig;
use std::fs;
use tempfile::TempDir;

const GATEWAY: &str = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  servers:\n  - port: {number: 443, name: a, protocol: HTTPS}\n    hosts: ['*']\n    tls: {mode: SIMPLE, serverCertificate: a.crt, privateKey: a.key}\n";

const PAYMENTS: &str = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: pay}\nspec:\n  hosts: [pay.example]\n  ports: [{number: 443, name: https, protocol: HTTPS}]\n  resolution: STATIC\n  endpoints: [{address: 127.0.0.1}]\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: pay}\nspec:\n  host: pay.example\n  trafficPolicy: {tls: {mode: SIMPLE, caCertificates: ca.pem}}\n";

/// What cannot be read, and what can and does not fit.
const BROKEN: [&str; 2] = ["kind: [", "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: b}\n"];

/// A loader and the directory that it loads, with the files that its Gateway names.
struct Place {
    directory: TempDir,
    settings: Arc<Settings>,
    loader: Loader,
}

impl Place {
    fn new(pair: &Pair) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let manifests = vec![directory.path().display().to_string()];
        let settings = Settings::load(None, Flags { manifests, ..Flags::default() }).unwrap();
        let settings = Arc::new(Settings { stock_filters: None, ..settings });
        let runtime = Arc::new(Runtime::new(None).unwrap());
        let telemetry = Telemetry::new(AccessLog::off(), Tracer::off());
        let names = dns::Names::start(None, telemetry.metrics.dns().clone()).unwrap();
        let loader = Loader::new(runtime, telemetry, Arc::clone(&settings), names, None);
        let mut place = Self { directory, settings, loader };
        place.write("gateway.yaml", GATEWAY);
        place.show(pair);
        assert_eq!(place.load(), (true, Vec::new()));
        place
    }

    /// As those who renew certificates do, in one step.
    fn write(&self, name: &str, text: &str) {
        let beside = self.directory.path().join(".new");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.directory.path().join(name)).unwrap();
    }

    fn show(&self, pair: &Pair) {
        self.write("a.crt", &pair.certificate);
        self.write("a.key", &pair.key);
    }

    /// Whether there is a snapshot, and what was found.
    fn load(&mut self) -> (bool, Vec<String>) {
        let (snapshot, found) = self.snapshot();
        (snapshot.is_some(), found)
    }

    fn snapshot(&mut self) -> (Option<Snapshot>, Vec<String>) {
        let sources = Loader::scan(&self.settings);
        let (loaded, diagnostics) = self.loader.load(&sources);
        (loaded.map(|loaded| loaded.snapshot), diagnostics.lines())
    }

    /// The TLS that is in force.
    fn tls(&self) -> Arc<ServerConfig> {
        let planned = self.loader.plan.planned().remove(0);
        let servers: Arc<Servers> = planned.served.tls.unwrap();
        match servers.server(0).unwrap().action.clone() {
            Action::Terminate(config) => config,
            Action::Pass => panic!("TLS is passed on"),
        }
    }

    fn files_rest(&mut self) -> bool {
        !self.loader.files_changed() && !self.loader.files_changed()
    }
}

#[test]
fn a_renewed_certificate_is_taken_up_although_a_document_beside_it_is_broken() {
    let authority = Authority::new("ca");
    for broken in BROKEN {
        let mut place = Place::new(&authority.issue(&["shop.example"]));
        let old = place.tls();
        place.write("broken.yaml", broken);
        let (loaded, found) = place.load();
        assert!(loaded && found.len() == 1, "{found:?}");
        assert!(Arc::ptr_eq(&place.tls(), &old) && place.files_rest());
        place.show(&authority.issue(&["shop.example"]));
        assert!(!place.files_rest(), "the change is noticed");
        assert_eq!(place.load(), (true, found), "{broken}");
        assert!(!Arc::ptr_eq(&place.tls(), &old), "{broken}");
        assert!(place.files_rest(), "nothing is loaded again and again");
    }
}

#[test]
fn half_a_renewal_beside_a_broken_document_is_said_and_leaves_the_old_pair() {
    let authority = Authority::new("ca");
    for broken in BROKEN {
        let mut place = Place::new(&authority.issue(&["shop.example"]));
        let (old, new) = (place.tls(), authority.issue(&["shop.example"]));
        place.write("broken.yaml", broken);
        place.write("a.crt", &new.certificate);
        let (loaded, found) = place.load();
        assert!(loaded && found.len() == 2, "{found:?}");
        assert!(found.iter().any(|found| found.contains("error[SG0707]")), "{found:?}");
        assert!(Arc::ptr_eq(&place.tls(), &old) && place.files_rest());
        place.show(&new);
        assert!(!place.files_rest(), "the change is noticed");
        let (loaded, found) = place.load();
        assert!(loaded && found.len() == 1, "{found:?}");
        assert!(!Arc::ptr_eq(&place.tls(), &old), "{broken}");
    }
}

#[test]
fn new_addresses_that_meet_an_unreadable_file_are_taken_up_later() {
    let authority = Authority::new("ca");
    let mut place = Place::new(&authority.issue(&["shop.example"]));
    place.write("ca.pem", &authority.certificate());
    place.write("pay.yaml", PAYMENTS);
    let (snapshot, found) = place.snapshot();
    let snapshot = snapshot.unwrap();
    assert_eq!(found, [""; 0]);
    // As if an answer had changed.
    place.loader.names_seen = place.loader.names.changes() + 1;
    fs::rename(place.directory.path().join("ca.pem"), place.directory.path().join("ca.old")).unwrap();
    assert!(place.loader.renew(&snapshot).is_none() && place.loader.names_changed());
    fs::rename(place.directory.path().join("ca.old"), place.directory.path().join("ca.pem")).unwrap();
    let renewed = place.loader.renew(&snapshot).unwrap();
    assert!(renewed.generation > snapshot.generation && !place.loader.names_changed());
}
