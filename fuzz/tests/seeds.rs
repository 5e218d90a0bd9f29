//! Every seed, and some thousands of changed ones: no search, which is libFuzzer's business, but what has been found
//! once stays found.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::fs;
use std::path::{Path, PathBuf};

/// A target and how many changed seeds it is given: about a second's worth in a development build.
type Target = (&'static str, fn(&[u8]), u32);

const TARGETS: [Target; 13] = [
    ("cloudevents", sluicegate_fuzz::cloudevents::run, 3_000),
    ("component", sluicegate_fuzz::component::run, 3_000),
    ("decision", sluicegate_fuzz::decision::run, 1_000),
    ("delivery", |bytes| sluicegate_fuzz::delivery::run(bytes, |builder| builder.start_paused(true)), 300),
    ("expression", sluicegate_fuzz::expression::run, 3_000),
    ("http1_head", sluicegate_fuzz::http1_head::run, 3_000),
    ("http2_frames", sluicegate_fuzz::http2_frames::run, 300),
    ("http2_head", sluicegate_fuzz::http2_head::run, 3_000),
    ("json", sluicegate_fuzz::json::run, 10_000),
    ("manifest", sluicegate_fuzz::manifest::run, 500),
    ("routes", sluicegate_fuzz::routes::run, 500),
    ("settings", sluicegate_fuzz::settings::run, 1_000),
    ("store", sluicegate_fuzz::store::run, 50),
];
/// The longest input: seeds are shorter.
const LONGEST: usize = 4_096;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

/// The seeds of a target, by name, so that each run has them in the same order.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory().join(target)).unwrap_or_else(|error| panic!("{target}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Changes a seed: bytes, pieces taken out or twice, a piece of another seed.
fn change(seed: &[u8], other: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.usize(1..5) {
        let (from, to) = piece(&bytes, random);
        match random.u8(0..6) {
            0 if !bytes.is_empty() => {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            1 => drop(bytes.drain(from..to)),
            2 => {
                let twice = bytes[from..to].to_vec();
                bytes.splice(to..to, twice);
            }
            3 => {
                let (start, end) = piece(other, random);
                bytes.splice(from..from, other[start..end].iter().copied());
            }
            4 => bytes.insert(from, *random.choice(b"\r\n\0 :;,\"'{}[]()%=+-09aZ\xff").unwrap_or(&0)),
            _ if !bytes.is_empty() => {
                let at = random.usize(..bytes.len());
                bytes[at] ^= 1 << random.u8(..8);
            }
            _ => {}
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn piece(bytes: &[u8], random: &mut fastrand::Rng) -> (usize, usize) {
    let from = random.usize(..=bytes.len());
    let to = from + random.usize(..=(bytes.len() - from).min(64));
    (from, to)
}

/// Runs a target on its seeds, and on changed ones.
fn replay(target: &str) {
    let (_, run, times) = TARGETS.into_iter().find(|(name, ..)| *name == target).unwrap();
    let seeds = seeds(target);
    assert!(seeds.len() >= 3, "{target} has few seeds");
    let said = |bytes: &[u8]| {
        let ran = std::panic::catch_unwind(|| run(bytes));
        assert!(ran.is_ok(), "{target} has found something: b\"{}\"", bytes.escape_ascii());
    };
    for seed in &seeds {
        said(seed);
    }
    let mut random = fastrand::Rng::with_seed(0x51_u64);
    for _ in 0..times {
        let [seed, other] = [0, 1].map(|_| random.choice(&seeds).map(Vec::as_slice).unwrap_or_default());
        said(&change(seed, other, &mut random));
    }
}

#[test]
fn events_come_back_the_same_from_every_mode() {
    replay("cloudevents");
}

#[test]
fn components_are_refused_with_a_reason_or_are_of_the_contract() {
    replay("component");
}

#[test]
fn a_decision_is_applied_as_a_whole_or_changes_nothing() {
    replay("decision");
}

#[test]
fn every_event_ends_as_a_plain_loop_over_its_tries_says() {
    replay("delivery");
}

#[test]
fn expressions_come_to_the_same_value_each_time() {
    replay("expression");
}

#[test]
fn each_http1_request_becomes_exactly_one() {
    replay("http1_head");
}

#[test]
fn frames_are_counted_however_they_are_cut_into_reads() {
    replay("http2_frames");
}

#[test]
fn each_http2_request_becomes_exactly_one() {
    replay("http2_head");
}

#[test]
fn json_is_what_another_reader_takes_for_it() {
    replay("json");
}

#[test]
fn findings_are_in_the_file_and_documents_are_read_again_as_the_same() {
    replay("manifest");
}

#[test]
fn a_path_finds_the_first_pattern_that_it_matches() {
    replay("routes");
}

#[test]
fn mistakes_are_on_a_line_that_the_file_has() {
    replay("settings");
}

#[test]
fn no_event_is_lost_in_a_crash() {
    replay("store");
}

#[test]
fn every_target_has_seeds_and_a_program() {
    let mut programs: Vec<String> = fs::read_dir(directory().with_file_name("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    programs.sort();
    assert_eq!(programs, TARGETS.map(|(name, ..)| name));
    let mut directories: Vec<String> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    directories.sort();
    assert_eq!(directories, TARGETS.map(|(name, ..)| name));
}
