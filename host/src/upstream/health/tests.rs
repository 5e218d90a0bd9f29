//! Against real servers on loopback.

use super::super::policy::Probe;
use super::super::registry::{Endpoint, Names, Protocol, Registry, ServicePort};
use super::super::state::States;
use super::super::tests::harness::{OK, UNAVAILABLE, Upstream, closed_port};
use super::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Clusters that a test may exchange.
#[derive(Clone, Default)]
struct InForce(Arc<(AtomicU64, Mutex<Vec<Cluster>>)>);

impl Checked for InForce {
    fn generation(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }

    fn clusters(&self) -> Vec<Cluster> {
        self.0.1.lock().unwrap().clone()
    }
}

impl InForce {
    fn set(&self, clusters: Vec<Cluster>) {
        *self.0.1.lock().unwrap() = clusters;
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn http(path: &str) -> HealthCheck {
    HealthCheck {
        port: None,
        probe: Probe::Http { path: path.into(), authority: None, expected: vec![(200, 299)] },
        interval: Duration::from_millis(20),
        timeout: Duration::from_secs(2),
        healthy_threshold: 2,
        unhealthy_threshold: 2,
        panic_threshold: 0,
    }
}

fn checked(addresses: &[SocketAddr], check: HealthCheck) -> Cluster {
    checked_in(&Arc::default(), addresses, check)
}

/// The same with states that other snapshots have too.
fn checked_in(states: &Arc<States>, addresses: &[SocketAddr], check: HealthCheck) -> Cluster {
    let mut registry = Registry::with_states(Names::default(), Arc::clone(states));
    let endpoints = addresses.iter().map(|address| Endpoint::new(*address)).collect();
    registry.add("shop".into(), vec![ServicePort { number: None, name: None, protocol: Protocol::Http1, endpoints }]);
    registry.set_checks("shop", vec![Arc::new(check)]);
    registry.find("shop", None).unwrap()
}

async fn wait_for(cluster: &Cluster, expected: &[Health]) {
    let found = || cluster.members().iter().map(|member| member.state.health()).collect::<Vec<_>>();
    let reached = async {
        while found() != expected {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(Duration::from_secs(10), reached).await.is_ok(), "{:?}, not {expected:?}", found());
}

#[tokio::test]
async fn endpoints_that_do_not_answer_well_are_out_and_come_back() {
    let sick = Arc::new(AtomicBool::new(true));
    let answers = Arc::clone(&sick);
    let changing = Upstream::start(move |mut socket, _| {
        let sick = answers.load(Ordering::SeqCst);
        async move {
            let head = socket.head().await.unwrap();
            assert!(head.starts_with("GET /healthz HTTP/1.1\r\nhost: shop\r\n"), "{head}");
            socket.send(if sick { UNAVAILABLE } else { OK }).await;
        }
    })
    .await;
    let well = Upstream::answering(OK).await;
    let cluster = checked(&[well.address, changing.address, closed_port().await], http("/healthz"));
    let in_force = InForce::default();
    in_force.set(vec![cluster.clone()]);
    let task = tokio::spawn(run(in_force.clone()));
    wait_for(&cluster, &[Health::Healthy, Health::Unhealthy, Health::Unhealthy]).await;
    assert_eq!(cluster.members()[1].state.reason(), "/healthz is answered 503");
    assert!(cluster.members()[2].state.reason().starts_with("no connection"));
    sick.store(false, Ordering::SeqCst);
    wait_for(&cluster, &[Health::Healthy, Health::Healthy, Health::Unhealthy]).await;
    in_force.set(Vec::new());
    wait_for(&cluster, &[Health::Unchecked; 3]).await;
    task.abort();
}

#[tokio::test]
async fn a_connection_is_enough_for_a_tcp_check_and_silence_is_not_for_an_http_one() {
    let silent = Upstream::start(|mut socket, _| async move {
        socket.rest().await;
    })
    .await;
    let quick = HealthCheck { timeout: Duration::from_millis(50), ..http("/") };
    let with_tcp = checked(&[silent.address], HealthCheck { probe: Probe::Tcp, ..quick.clone() });
    let with_http = checked(&[silent.address], quick);
    let (one, other) = (InForce::default(), InForce::default());
    one.set(vec![with_tcp.clone()]);
    other.set(vec![with_http.clone()]);
    let tasks = [tokio::spawn(run(one)), tokio::spawn(run(other))];
    wait_for(&with_tcp, &[Health::Healthy]).await;
    wait_for(&with_http, &[Health::Unhealthy]).await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_reload_that_keeps_an_endpoint_keeps_what_is_known_of_it() {
    let mut patients = HashMap::new();
    let cluster = checked(&[closed_port().await], http("/"));
    admit(&mut patients, std::slice::from_ref(&cluster));
    for patient in patients.values_mut() {
        patient.bad = 1;
    }
    admit(&mut patients, std::slice::from_ref(&cluster));
    assert!(patients.values().all(|patient| patient.bad == 1));
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_out_although_reloads_are_more_frequent_than_its_answers_are_late() {
    let silent = Upstream::start(|mut socket, _| async move {
        socket.rest().await;
    })
    .await;
    let (states, timeout) = (Arc::new(States::default()), Duration::from_secs(1));
    let cluster = || checked_in(&states, &[silent.address], HealthCheck { timeout, ..http("/") });
    let (first, in_force) = (cluster(), InForce::default());
    in_force.set(vec![first.clone()]);
    let task = tokio::spawn(run(in_force.clone()));
    let reloads = async {
        loop {
            sleep(Duration::from_millis(100)).await;
            in_force.set(vec![cluster()]);
        }
    };
    tokio::select! {
        () = wait_for(&first, &[Health::Unhealthy]) => {}
        () = reloads => {}
    }
    assert_eq!(silent.connections(), 2, "an endpoint is asked one question at a time");
    task.abort();
}

#[tokio::test]
async fn an_answer_to_what_is_no_longer_asked_counts_for_nothing() {
    let mut patients = HashMap::new();
    let (states, address) = (Arc::default(), closed_port().await);
    let cluster = |http2| {
        let mut registry = Registry::with_states(Names::default(), Arc::clone(&states));
        let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
        let endpoints = vec![Endpoint::new(address)];
        registry.add("shop".into(), vec![ServicePort { number: None, name: None, protocol, endpoints }]);
        registry.set_checks("shop", vec![Arc::new(http("/"))]);
        registry.find("shop", None).unwrap()
    };
    let (first, other) = (cluster(false), cluster(true));
    admit(&mut patients, std::slice::from_ref(&first));
    let asked = |patients: &mut HashMap<Key, Patient>| {
        let patient = patients.values_mut().next().unwrap();
        (std::mem::replace(&mut patient.asked, true), Arc::clone(&patient.check))
    };
    let (_, check) = asked(&mut patients);
    admit(&mut patients, &[cluster(false)]);
    let (was_asked, same) = asked(&mut patients);
    assert!(was_asked && Arc::ptr_eq(&same, &check));
    admit(&mut patients, std::slice::from_ref(&other));
    let (was_asked, another) = asked(&mut patients);
    assert!(!was_asked && !Arc::ptr_eq(&another, &check));
}

#[tokio::test]
async fn what_the_proxy_lacks_for_asking_says_nothing_of_an_endpoint() {
    let cluster = checked(&[closed_port().await], http("/"));
    let member = &cluster.members()[0];
    let mut patient = Patient::new(&cluster.checks()[0], None, member);
    let key = (cluster.key().clone(), member.endpoint.address);
    patient.judge(&key, Ok(()));
    for _ in 0..5 {
        patient.judge(&key, Err(Doubt::NotAsked("too many open files".into())));
    }
    assert_eq!((member.state.health(), patient.asked), (Health::Healthy, false));
    (0..2).for_each(|_| patient.judge(&key, Err(Doubt::Unwell("no answer".into()))));
    assert_eq!(member.state.health(), Health::Unhealthy);
}
