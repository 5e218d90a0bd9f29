use super::*;

const RULE: Quarantine = Quarantine {
    failures: 3,
    within: Duration::from_secs(10),
    pause: Duration::from_secs(1),
    longest: Duration::from_secs(4),
};

fn guard() -> Guard {
    Guard::new(Some(RULE), Arc::default(), (String::new(), String::new()))
}

fn fail(guard: &Guard, at: Instant, calls: u64) -> Verdict {
    guard.judge(RULE, Recent { hook: "request", at, calls })
}

fn fail_three_times(guard: &Guard, at: Instant) {
    let verdicts = [1, 2, 3].map(|call| fail(guard, at, call));
    assert_eq!(verdicts.last(), Some(&Verdict::Quarantined(RULE.pause)));
}

#[test]
fn failures_in_a_row_leave_the_filter_out_for_a_while() {
    let (guard, now) = (guard(), Instant::now());
    assert_eq!([fail(&guard, now, 7), fail(&guard, now, 8)], [Verdict::GoesOn; 2]);
    assert_eq!(guard.admit(), Ok(Admitted::Freely));
    assert_eq!(fail(&guard, now, 9), Verdict::Quarantined(RULE.pause));
    assert_eq!(guard.admit().map_err(|failure| failure.kind), Err(FailureKind::Quarantined));
    assert!(guard.condition().quarantined);
}

#[test]
fn a_filter_that_decides_on_most_requests_is_never_left_out() {
    let (guard, now) = (guard(), Instant::now());
    for failure in 0..100 {
        assert_eq!(fail(&guard, now, failure * 2), Verdict::GoesOn, "every second call fails");
    }
}

#[test]
fn failures_that_are_far_apart_or_of_other_hooks_do_not_add_up() {
    let (guard, now) = (guard(), Instant::now());
    for (call, seconds) in [(1, 0), (2, 11), (3, 22), (4, 33)] {
        assert_eq!(fail(&guard, now + Duration::from_secs(seconds), call), Verdict::GoesOn);
    }
    let later = now + Duration::from_mins(1);
    for (call, hook) in [(1, "request"), (1, "response"), (2, "request"), (2, "response")] {
        assert_eq!(guard.judge(RULE, Recent { hook, at: later, calls: call }), Verdict::GoesOn);
    }
}

#[test]
fn a_filter_whose_hooks_fail_in_turns_is_left_out_as_one_of_which_one_does() {
    let (guard, now) = (guard(), Instant::now());
    let turns = (1..=3).flat_map(|calls| ["request", "response"].map(|hook| Recent { hook, at: now, calls }));
    let verdicts: Vec<_> = turns.map(|failure| guard.judge(RULE, failure)).collect();
    assert_eq!(verdicts[..4], [Verdict::GoesOn; 4]);
    assert_eq!(verdicts[4], Verdict::Quarantined(RULE.pause));
}

#[test]
fn one_call_at_a_time_tries_it_and_each_failed_trial_doubles_the_pause() {
    let (guard, now) = (guard(), Instant::now());
    fail_three_times(&guard, now);
    let mut pauses = Vec::new();
    for _ in 0..3 {
        let due = guard.state().until.unwrap();
        assert!(guard.admit_on_trial(Instant::now()).is_err());
        assert_eq!(guard.admit_on_trial(due), Ok(Admitted::OnTrial));
        assert!(guard.admit_on_trial(due).is_err(), "another one waits for the trial");
        guard.trial_failed(FailureKind::Trap);
        pauses.push(guard.state().pause.as_secs());
    }
    assert_eq!(pauses, [2, 4, 4]);
    assert_eq!(guard.condition().quarantines, 4);
}

#[test]
fn a_good_trial_lets_all_calls_through_and_failing_again_soon_is_remembered() {
    let (guard, now) = (guard(), Instant::now());
    fail_three_times(&guard, now);
    let due = guard.state().until.unwrap();
    assert_eq!(guard.admit_on_trial(due), Ok(Admitted::OnTrial));
    guard.settled();
    assert_eq!(guard.admit(), Ok(Admitted::Freely));
    let again: Vec<_> = (10..13).map(|call| fail(&guard, Instant::now(), call)).collect();
    assert_eq!(again.last(), Some(&Verdict::Quarantined(RULE.pause * 2)));
    let later = Instant::now() + RULE.longest * 10;
    guard.state().trial = Some(Instant::now());
    guard.settled();
    guard.state().released = Some(Instant::now());
    let later: Vec<_> = (20..23).map(|call| fail(&guard, later, call)).collect();
    assert_eq!(later.last(), Some(&Verdict::Quarantined(RULE.pause)));
}

/// One that is in quarantine, with a call on trial.
fn on_trial() -> Guard {
    let (guard, now) = (guard(), Instant::now());
    fail_three_times(&guard, now);
    let due = guard.state().until.unwrap();
    assert_eq!(guard.admit_on_trial(due), Ok(Admitted::OnTrial));
    guard
}

#[test]
fn a_trial_whose_decision_is_refused_has_failed() {
    let guard = on_trial();
    assert!(guard.is_quarantined(), "nothing is known of its decision yet");
    let refused = Failure::invalid("it answers 42");
    assert_eq!(guard.failed(Report::of("request", &refused, None), 4), Verdict::GoesOn);
    assert!(guard.is_quarantined());
    assert_eq!(guard.state().pause, RULE.pause * 2);
    // What is settled of an earlier call, which was let through before, is no trial.
    guard.settled();
    assert!(guard.is_quarantined());
}

#[test]
fn a_trial_that_fails_for_others_memory_prolongs_nothing() {
    let guard = on_trial();
    let due = guard.state().until.unwrap();
    guard.trial_failed(FailureKind::Crowded);
    assert_eq!(guard.condition().quarantines, 1);
    assert_eq!(guard.state().pause, RULE.pause);
    assert_eq!(guard.admit_on_trial(due), Ok(Admitted::OnTrial), "another call tries it");
}

#[test]
fn an_operator_lets_it_in_at_once() {
    let (guard, now) = (guard(), Instant::now());
    fail_three_times(&guard, now);
    assert!(guard.release());
    assert_eq!(guard.admit(), Ok(Admitted::Freely));
    assert!(!guard.release());
}

#[test]
fn a_filter_is_not_left_out_because_others_have_the_memory() {
    let guard = Guard::new(Some(Quarantine::default()), Arc::default(), (String::new(), String::new()));
    let failure = Failure::new(FailureKind::Crowded, "no room");
    for call in 0..100 {
        assert_eq!(guard.failed(Report::of("request", &failure, None), call), Verdict::GoesOn);
    }
}

#[test]
fn without_a_rule_nothing_is_left_out() {
    let guard = Guard::new(None, Arc::default(), (String::new(), String::new()));
    let failure = Failure::new(FailureKind::Trap, "unreachable");
    for call in 0..100 {
        assert_eq!(guard.failed(Report::of("request", &failure, None), call), Verdict::GoesOn);
    }
    assert_eq!(guard.admit(), Ok(Admitted::Freely));
}
