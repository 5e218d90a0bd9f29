//! Groups, and what is cancelled with them.

use super::*;

/// A service that answers after so long, and tells when its connection ended before.
async fn services<const N: usize>(times: [(&'static str, u64); N]) -> (Registry, Vec<mpsc::UnboundedReceiver<()>>) {
    let (mut places, mut ends) = (Vec::new(), Vec::new());
    for (name, milliseconds) in times {
        let (upstream, end) = slow(milliseconds).await;
        places.push((name, vec![upstream.address]));
        ends.push(end);
    }
    (registry::<N>(places.try_into().unwrap()), ends)
}

#[tokio::test]
async fn the_first_good_answer_ends_the_others_at_once() {
    let (registry, mut ends) = services([("slow", 10_000), ("quick", 50), ("slower", 10_000)]).await;
    let first = CallGroup { enough: Some(1), ..group(&["slow", "quick", "slower"]) };
    let plan = types::Plan { groups: vec![first], ..plan([call("slow"), call("quick"), call("slower")]) };
    let outcomes = outcomes(&registry, plan).await;
    let cancelled = |name| (name, Err(CallError::Cancelled));
    assert_eq!(results(&outcomes), [cancelled("slow"), ("quick", Ok(&b"ok"[..])), cancelled("slower")]);
    ends[0].recv().await.unwrap();
    ends[2].recv().await.unwrap();
}

#[tokio::test]
async fn a_status_that_is_not_accepted_does_not_count_as_good() {
    let failing = Upstream::answering("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 3\r\n\r\nwhy").await;
    let good = Upstream::answering(OK).await;
    let registry = registry([("failing", vec![failing.address]), ("good", vec![good.address])]);
    let accept = vec![StatusRange { first: 200, last: 299 }];
    let calls = [Call { accept: accept.clone(), ..call("failing") }, Call { accept, ..call("good") }];
    let first = CallGroup { enough: Some(1), concurrency: Some(1), ..group(&["failing", "good"]) };
    let outcomes = outcomes(&registry, types::Plan { groups: vec![first], ..plan(calls) }).await;
    let Err(CallError::Status(response)) = &outcomes[0].response else { panic!("{outcomes:?}") };
    assert_eq!((response.status, response.body.as_slice()), (500, &b"why"[..]));
    assert!(outcomes[1].response.is_ok());
}

#[tokio::test]
async fn a_group_runs_so_many_calls_at_once() {
    let (registry, _ends) = services([("a", 100), ("b", 100), ("c", 100)]).await;
    let started = Instant::now();
    let two = CallGroup { concurrency: Some(2), ..group(&["a", "b", "c"]) };
    let plan = types::Plan { groups: vec![two], ..plan([call("a"), call("b"), call("c")]) };
    let outcomes = outcomes(&registry, plan).await;
    assert!(outcomes.iter().all(|outcome| outcome.response.is_ok()));
    assert!(started.elapsed() >= Duration::from_millis(190), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_call_that_waits_for_its_turn_meets_the_plans_deadline() {
    let (registry, _ends) = services([("a", 10_000), ("b", 10_000)]).await;
    let one = CallGroup { concurrency: Some(1), ..group(&["a", "b"]) };
    let plan = types::Plan { groups: vec![one], deadline: Some(100), ..plan([call("a"), call("b")]) };
    let outcomes = outcomes(&registry, plan).await;
    assert_eq!(results(&outcomes), [("a", Err(CallError::Deadline)), ("b", Err(CallError::Deadline))]);
}

#[tokio::test]
async fn a_request_that_has_no_more_time_has_none_for_its_calls() {
    let (registry, mut ends) = services([("slow", 10_000)]).await;
    let inherited = HeaderMap::new();
    let deadline = Instant::now() + Duration::from_millis(100);
    let request = Run {
        registry: &registry,
        inherited: &inherited,
        source: None,
        load: Load::default(),
        cached: None,
        deadline,
        trace: &Parent::default(),
    };
    let patient = types::Plan { deadline: Some(60_000), ..plan([call("slow")]) };
    let gathered = run(&request, checked(patient).unwrap()).await;
    assert_eq!(results(&gathered.outcomes), [("slow", Err(CallError::Deadline))]);
    assert_eq!(gathered.reports[0].attempts, 1, "a late try is known");
    ends[0].recv().await.unwrap();
}

#[tokio::test]
async fn the_calls_of_a_list_are_counted_as_one() {
    let gathered = gather(&registry([]), plan([call("details[3]"), call("order")])).await;
    let labels: Vec<_> = gathered.reports.iter().map(|report| (report.label(), report.end)).collect();
    let failed = CallEnd::Failed("no-endpoint");
    assert_eq!(labels, [("details", failed), ("order", failed)]);
}
