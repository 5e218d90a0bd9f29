use super::*;
use crate::gather::tests::{call, checked, plan};
use crate::wasm::types::{Call, CallGroup};

/// Calls named 0 to `count`, those in `required` being so.
fn progress(count: usize, required: &[usize], groups: Vec<CallGroup>) -> Progress {
    let call = |number: usize| Call { required: required.contains(&number), ..call(&number.to_string()) };
    let plan = crate::wasm::types::Plan { groups, ..plan((0..count).map(call).collect::<Vec<_>>()) };
    Progress::new(&checked(plan).unwrap())
}

fn group(calls: std::ops::Range<usize>) -> CallGroup {
    CallGroup {
        calls: calls.map(|number| number.to_string()).collect(),
        concurrency: None,
        enough: None,
        required: false,
    }
}

fn begin_all(progress: &mut Progress) -> Vec<usize> {
    std::iter::from_fn(|| progress.begin()).collect()
}

#[test]
fn as_many_calls_as_a_plan_may_have_begin_at_once_and_in_order() {
    let mut progress = progress(64, &[], Vec::new());
    assert_eq!(begin_all(&mut progress), (0..64).collect::<Vec<_>>());
    assert_eq!((progress.waiting(), progress.open()), (0, u64::MAX));
    assert_eq!(places(progress.open()).count(), 64);
}

#[test]
fn a_group_lets_so_many_run_and_the_next_when_one_is_over() {
    let mut progress = progress(5, &[], vec![CallGroup { concurrency: Some(2), ..group(0..4) }]);
    assert_eq!(begin_all(&mut progress), [0, 1, 4]);
    assert_eq!(progress.end(1, false), 0);
    assert_eq!(begin_all(&mut progress), [2]);
    progress.end(0, true);
    progress.end(2, true);
    assert_eq!(begin_all(&mut progress), [3]);
    progress.end(3, true);
    progress.end(4, true);
    assert_eq!(progress.open(), 0);
}

#[test]
fn a_required_call_that_fails_ends_all_of_them() {
    let mut progress = progress(3, &[1], Vec::new());
    begin_all(&mut progress);
    assert_eq!(progress.end(0, false), 0, "it is optional");
    assert_eq!(progress.end(1, false), 0b100);
    assert_eq!(progress.open(), 0);
}

#[test]
fn the_first_good_one_is_enough_whatever_its_calls_say_of_themselves() {
    let mut progress = progress(4, &[0, 1, 2], vec![CallGroup { enough: Some(1), ..group(0..3) }]);
    begin_all(&mut progress);
    assert_eq!(progress.end(2, false), 0, "the group says what is required");
    assert_eq!(progress.end(1, true), 0b1);
    assert_eq!(progress.open(), 0b1000, "what is not in the group goes on");
}

#[test]
fn a_quorum_that_cannot_be_had_any_more_gives_the_plan_up_only_if_it_is_required() {
    for required in [false, true] {
        let quorum = CallGroup { enough: Some(2), required, ..group(0..3) };
        let mut progress = progress(4, &[], vec![quorum]);
        begin_all(&mut progress);
        assert_eq!(progress.end(0, false), 0);
        let unwanted = progress.end(1, false);
        assert_eq!(unwanted, if required { 0b1100 } else { 0 });
        assert_eq!(progress.open(), if required { 0 } else { 0b1100 });
    }
}

#[test]
fn a_quorum_ends_those_that_have_not_even_begun() {
    let quorum = CallGroup { enough: Some(2), concurrency: Some(2), ..group(0..5) };
    let mut progress = progress(5, &[], vec![quorum]);
    assert_eq!(begin_all(&mut progress), [0, 1]);
    progress.end(1, true);
    assert_eq!(begin_all(&mut progress), [2]);
    assert_eq!(progress.end(0, true), 0b11100);
    assert!(begin_all(&mut progress).is_empty());
}

#[test]
fn a_required_group_without_a_number_needs_all() {
    let mut progress = progress(3, &[], vec![CallGroup { required: true, ..group(0..2) }]);
    begin_all(&mut progress);
    assert_eq!(progress.end(0, true), 0);
    assert_eq!(progress.end(1, false), 0b100);
}
