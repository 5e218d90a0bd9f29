use super::*;

const BOUNDS: Bounds = Bounds { least: limits::ADAPTIVE_LEAST, most: 1_000 };

fn load(priority: Priority) -> Load {
    Load { bounds: Some(BOUNDS), priority, share: priority.share() }
}

/// A service that works on so many requests at a time, each for so long, and lets the others wait.
struct Service {
    at_a_time: f64,
    milliseconds: f64,
}

impl Service {
    /// Its latency with so many requests in it.
    fn latency(&self, in_flight: f64) -> f64 {
        self.milliseconds * 1_000.0 * (in_flight / self.at_a_time).max(1.0)
    }
}

/// Goes on for so many windows with as many clients, and gives the limit, the latency in milliseconds, and in how many
/// windows requests were refused.
fn run(step: &mut Step, service: &Service, clients: f64, windows: usize) -> (f64, f64, usize) {
    let mut windows_refused = 0;
    for _ in 0..windows {
        let in_flight = step.limit.floor().min(clients);
        step.latency = service.latency(in_flight);
        step.refused = clients > in_flight;
        step.peak = whole(in_flight);
        windows_refused += usize::from(step.refused);
        (step.limit, step.baseline) = step.next(BOUNDS);
    }
    (step.limit, step.latency / 1_000.0, windows_refused)
}

fn begin() -> Step {
    Step { limit: f64::from(limits::ADAPTIVE_FIRST), baseline: 0.0, latency: 0.0, peak: 0, refused: false }
}

#[test]
fn under_any_load_latency_stays_within_twice_what_it_was_calm() {
    let service = Service { at_a_time: 40.0, milliseconds: 10.0 };
    let mut step = begin();
    run(&mut step, &service, 20.0, 100);
    for clients in [100.0, 400.0, 4_000.0] {
        let (limit, latency, _) = run(&mut step, &service, clients, 600);
        assert!(latency < 20.0, "{latency} ms with {clients} clients");
        assert!(limit > 40.0, "a limit of {limit} leaves the service idle");
    }
}

#[test]
fn a_service_that_has_too_much_to_do_from_the_start_is_found_out() {
    let (limit, latency, _) = run(&mut begin(), &Service { at_a_time: 40.0, milliseconds: 10.0 }, 4_000.0, 600);
    assert!(limit > 40.0 && latency < 20.0, "{latency} ms at a limit of {limit}");
}

#[test]
fn a_service_with_room_is_given_what_it_can_do() {
    let service = Service { at_a_time: 500.0, milliseconds: 10.0 };
    let (limit, latency, _) = run(&mut begin(), &service, 400.0, 600);
    assert!(limit >= 400.0 && latency <= 10.0, "{limit}");
}

#[test]
fn without_much_to_do_nothing_is_refused_whatever_the_latency() {
    let mut step = begin();
    for milliseconds in [10.0, 500.0, 5.0, 2_000.0] {
        let (limit, _, refused) = run(&mut step, &Service { at_a_time: 1_000.0, milliseconds }, 20.0, 200);
        assert_eq!(refused, 0, "at {milliseconds} ms with a limit of {limit}");
    }
}

#[test]
fn a_service_that_has_become_slower_for_good_gets_its_room_back() {
    let mut step = begin();
    run(&mut step, &Service { at_a_time: 100.0, milliseconds: 10.0 }, 80.0, 200);
    let slower = Service { at_a_time: 100.0, milliseconds: 100.0 };
    let (limit, latency, refused) = run(&mut step, &slower, 80.0, 400);
    assert!(limit > 80.0 && latency <= 100.0, "{limit}");
    assert!(refused < 200, "for {refused} windows");
}

#[test]
fn a_service_that_does_one_thing_at_a_time_keeps_a_short_queue() {
    let (limit, ..) = run(&mut begin(), &Service { at_a_time: 1.0, milliseconds: 10.0 }, 200.0, 3_000);
    assert!(limit < 10.0, "{limit}");
}

#[test]
fn noise_is_no_queue() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut step = begin();
    for _ in 0..2_000 {
        // Means of twenty latencies that are distributed exponentially: the widest that services commonly have.
        let sum: f64 = (0..20).map(|_| -random.f64().max(1e-9).ln()).sum();
        (step.latency, step.peak, step.refused) = (500.0 * sum, 60, step.limit < 60.0);
        (step.limit, step.baseline) = step.next(BOUNDS);
        assert!(step.limit > 60.0, "{step:?}");
    }
}

#[test]
fn what_matters_less_is_refused_first() {
    let adaptive = Arc::new(Adaptive::default());
    let mut waiting = Vec::new();
    let mut taken = |priority| {
        let before = waiting.len();
        while waiting.len() < 150
            && let Ok(one) = adaptive.enter(load(priority))
        {
            waiting.push(one);
        }
        waiting.len() - before
    };
    assert_eq!(Priority::ALL.map(&mut taken), [60, 20, 20, 50]);
    let refused = adaptive.enter(load(Priority::High)).unwrap_err();
    assert_eq!((refused.reason, refused.priority), (ShedReason::Service, Priority::High));
    drop(waiting);
    assert_eq!(adaptive.in_flight.load(Ordering::Relaxed), 0);
}

#[test]
fn a_window_closes_when_it_is_time_and_has_enough_to_say() {
    let adaptive = Arc::new(Adaptive::default());
    let window = u64::try_from(limits::ADAPTIVE_WINDOW.as_micros()).unwrap();
    let observe = |now| adaptive.observe(Duration::from_millis(20), BOUNDS, now);
    (1..limits::ADAPTIVE_SAMPLES).for_each(|_| observe(1));
    assert_eq!(adaptive.figures(), None);
    observe(1);
    let figures = adaptive.figures().unwrap();
    assert_eq!((figures.limit, figures.baseline, figures.latency.as_millis()), (100, figures.latency, 20));
    (0..100).for_each(|_| observe(window));
    assert_eq!(adaptive.window.load(Ordering::Relaxed) >> COUNT, 100, "the next one is open");
    observe(window + 1);
    assert_eq!(adaptive.window.load(Ordering::Relaxed), 0);
}

#[test]
fn without_bounds_nothing_is_counted() {
    let adaptive = Arc::new(Adaptive::default());
    assert!(adaptive.enter(Load::default()).unwrap().is_none());
    assert_eq!(adaptive.in_flight.load(Ordering::Relaxed), 0);
}
