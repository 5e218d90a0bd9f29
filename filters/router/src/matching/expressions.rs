//! All expressions of a host in one automaton: a path runs through it once, however many there are.
//!
//! Each expression must match the whole path. The automaton's states are made when a path first needs them and kept up
//! to a limit, so loading costs no more than reading the expressions, and no expression can make it grow without bound.
//! Paths that are not ASCII, which the host does not let through, and expressions that the automaton cannot take are
//! left to be compared one by one.

use regex_automata::hybrid::dfa::{Builder, Cache, Config, DFA};
use regex_automata::nfa::thompson::{self, Compiler, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Fewer expressions than this are compared one by one, which costs less than keeping an automaton.
const FEWEST: usize = 4;
/// Bytes of one automaton before any path has run through it. More expressions than fit are spread over several.
const AUTOMATON_SIZE: usize = 2 << 20;
/// Bytes of the states that one automaton keeps; when they are full it starts anew.
const STATES_SIZE: usize = 1 << 20;
/// Bytes of the states that all automata of the filter keep together: an eighth of the memory that an instance has, so
/// that no choice of hosts and paths exhausts it. Automata for which nothing is left forget their states after each run.
const ALL_STATES_SIZE: usize = 8 << 20;

thread_local! {
    /// Bytes of the states that are kept.
    static KEPT: Cell<usize> = const { Cell::new(0) };
}

/// What expressions are there, and what is written for each.
#[derive(Debug)]
pub(super) struct Expressions {
    automata: Vec<Automaton>,
    /// What must be compared one by one, sorted.
    others: Vec<usize>,
    /// Everything there is, sorted.
    all: Vec<usize>,
}

#[derive(Debug)]
struct Automaton {
    states: DFA,
    /// Only in use within one call of [`Automaton::run`].
    cache: RefCell<Option<Cache>>,
    /// How much of [`KEPT`] is its own.
    kept: Cell<usize>,
    /// The entries of each expression, sorted.
    entries: Vec<Vec<usize>>,
}

/// An expression that can be part of an automaton, and its entries.
type Parsed = (Hir, Vec<usize>);

impl Expressions {
    /// Puts expressions together; each comes with its entry, in order.
    pub(super) fn build(written: &[(&str, usize)]) -> Self {
        let all: Vec<usize> = written.iter().map(|(_, entry)| *entry).collect();
        let mut by_text: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (text, entry) in written {
            by_text.entry(text).or_default().push(*entry);
        }
        if by_text.len() < FEWEST {
            return Self { automata: Vec::new(), others: all.clone(), all };
        }
        let mut built = Self { automata: Vec::new(), others: Vec::new(), all };
        let mut parsed = Vec::new();
        for (text, entries) in by_text {
            match parse(text) {
                Some(expression) => parsed.push((expression, entries)),
                None => built.others.extend(entries),
            }
        }
        built.add(&parsed);
        built.others.sort_unstable();
        built
    }

    /// Hands lists of entries to `visit`: those whose expression a path matches, and with `false` those that must still
    /// be compared.
    pub(super) fn walk(&self, path: &str, mut visit: impl FnMut(&[usize], bool)) {
        if !path.is_ascii() {
            return visit(&self.all, false);
        }
        for automaton in &self.automata {
            if automaton.run(path, |entries| visit(entries, true)).is_none() {
                automaton.entries.iter().for_each(|entries| visit(entries, false));
            }
        }
        visit(&self.others, false);
    }

    /// Adds one automaton, or several where one would be too large.
    fn add(&mut self, parsed: &[Parsed]) {
        if parsed.is_empty() {
            return;
        }
        match Automaton::build(parsed) {
            Some(automaton) => self.automata.push(automaton),
            None if parsed.len() == 1 => self.others.extend(parsed.iter().flat_map(|(_, entries)| entries)),
            None => {
                let (one, other) = parsed.split_at(parsed.len() / 2);
                self.add(one);
                self.add(other);
            }
        }
    }
}

/// An expression for bytes: on ASCII it means what the expression for text means. One that speaks of other characters
/// in a way that bytes cannot is none.
fn parse(text: &str) -> Option<Hir> {
    let bytes = syntax::Config::new().unicode(false).utf8(false);
    syntax::parse_with(&format!("^(?:{text})$"), &bytes).ok()
}

impl Automaton {
    fn build(parsed: &[Parsed]) -> Option<Self> {
        let limits = thompson::Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(AUTOMATON_SIZE));
        let expressions: Vec<&Hir> = parsed.iter().map(|(expression, _)| expression).collect();
        let nfa = Compiler::new().configure(limits).build_many_from_hir(&expressions).ok()?;
        // A cache that the smallest set of states does not fit in is made larger rather than refused: the automaton's
        // own limit bounds that, too.
        let config =
            Config::new().match_kind(MatchKind::All).cache_capacity(STATES_SIZE).skip_cache_capacity_check(true);
        let states = Builder::new().configure(config).build_from_nfa(nfa).ok()?;
        let entries = parsed.iter().map(|(_, entries)| entries.clone()).collect();
        Some(Self { states, cache: RefCell::new(None), kept: Cell::new(0), entries })
    }

    /// Runs a path through and hands the entries of each expression that matches it to `visit`; nothing when the
    /// automaton has given up, in which case nothing was handed over.
    fn run(&self, path: &str, visit: impl FnMut(&[usize])) -> Option<()> {
        let mut cache = self.cache.try_borrow_mut().ok()?;
        let found = self.search(path, cache.get_or_insert_with(|| self.states.create_cache()), visit);
        let others = KEPT.get().saturating_sub(self.kept.get());
        let own = cache.as_ref().map_or(0, Cache::memory_usage);
        let kept = if others + own <= ALL_STATES_SIZE { own } else { 0 };
        if kept == 0 {
            *cache = None;
        }
        KEPT.set(others + kept);
        self.kept.set(kept);
        found
    }

    fn search(&self, path: &str, cache: &mut Cache, mut visit: impl FnMut(&[usize])) -> Option<()> {
        let input = Input::new(path).anchored(Anchored::Yes);
        let mut state = self.states.start_state_forward(cache, &input).ok()?;
        for byte in path.bytes() {
            state = self.states.next_state(cache, state, byte).ok()?;
            if state.is_dead() {
                return Some(());
            }
        }
        state = self.states.next_eoi_state(cache, state).ok()?;
        if state.is_match() {
            for number in 0..self.states.match_len(cache, state) {
                let expression = self.states.match_pattern(cache, state, number);
                visit(self.entries.get(expression.as_usize()).map_or(&[], Vec::as_slice));
            }
        }
        Some(())
    }
}

impl Drop for Automaton {
    fn drop(&mut self) {
        KEPT.set(KEPT.get().saturating_sub(self.kept.get()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The entries whose expression a path matches, and how many of them only comparing could tell.
    fn found(written: &[String], path: &str) -> (Vec<usize>, usize) {
        let numbered: Vec<(&str, usize)> = written.iter().map(String::as_str).zip(0..).collect();
        let whole = |entry: &usize| {
            regex_lite::Regex::new(&format!("^(?:{})$", written[*entry])).is_ok_and(|regex| regex.is_match(path))
        };
        let (mut found, mut compared) = (Vec::new(), 0);
        Expressions::build(&numbered).walk(path, |entries, known| {
            assert!(entries.is_sorted());
            compared += if known { 0 } else { entries.len() };
            found.extend(entries.iter().copied().filter(|entry| known || whole(entry)));
        });
        found.sort_unstable();
        (found, compared)
    }

    fn texts(written: &[&str]) -> Vec<String> {
        written.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn one_run_finds_every_expression_that_matches_the_whole_path() {
        let written = texts(&["/a.*", "/b", r"/a/\d+", "/a/1", "(?i)/A/1", "/a", "/a|/a/1", "/a/1"]);
        assert_eq!(found(&written, "/a/1"), (vec![0, 2, 3, 4, 6, 7], 0));
        assert_eq!(found(&written, "/c"), (vec![], 0));
        assert_eq!(found(&written, "/a"), (vec![0, 5, 6], 0));
    }

    #[test]
    fn what_bytes_cannot_say_is_compared_one_by_one() {
        let written = texts(&["/[é]", "/a", "/b", "/c", "/d", "/."]);
        assert_eq!(found(&written, "/a"), (vec![1, 5], 1));
        assert_eq!(found(&written, "/é"), (vec![0, 5], 6));
    }

    #[test]
    fn more_than_one_automaton_can_hold_is_spread_over_several() {
        let written: Vec<String> = (0..60).map(|number| format!("/{number}/(x|[a-f0-9]{{1,500}})")).collect();
        let numbered: Vec<(&str, usize)> = written.iter().map(String::as_str).zip(0..).collect();
        let built = Expressions::build(&numbered);
        assert!(built.automata.len() > 1 && built.others.is_empty(), "{}", built.automata.len());
        assert_eq!(found(&written, "/59/abc").0, [59]);
    }

    #[test]
    fn automata_of_many_hosts_share_a_bound_and_still_match_beyond_it() {
        let written: Vec<String> = (0..200).map(|number| format!("/.*{number}.*[a-y]{{1,9}}")).collect();
        let numbered: Vec<(&str, usize)> = written.iter().map(String::as_str).zip(0..).collect();
        let hosts: Vec<Expressions> = (0..40).map(|_| Expressions::build(&numbered)).collect();
        let before = KEPT.get();
        for built in &hosts {
            for number in 0..100_u64 {
                let mut found = 0;
                built.walk(&format!("/{number}{}", "abcdefghij".repeat(3)), |entries, _| found += entries.len());
                assert!(found > 0, "{number}");
            }
            assert!(KEPT.get() <= ALL_STATES_SIZE);
        }
        let forgotten = hosts.iter().flat_map(|built| &built.automata).filter(|automaton| automaton.kept.get() == 0);
        assert!(forgotten.count() > 0, "the test goes beyond the bound");
        drop(hosts);
        assert_eq!(KEPT.get(), before);
    }

    #[test]
    fn many_different_paths_do_not_make_it_grow_without_bound() {
        let written: Vec<String> = (0..200).map(|number| format!("/.*{number}.*[a-y]{{1,9}}")).collect();
        let numbered: Vec<(&str, usize)> = written.iter().map(String::as_str).zip(0..).collect();
        let built = Expressions::build(&numbered);
        let mut matches = 0;
        for number in 0..2000_u64 {
            let path = format!("/{}{}", number * 7_919 % 10_007, "abcdefghij".repeat(3));
            built.walk(&path, |entries, _| matches += entries.len());
        }
        let memory = built.automata[0].cache.borrow().as_ref().map_or(0, Cache::memory_usage);
        assert!(matches > 0 && memory < 2 * STATES_SIZE, "{matches} {memory}");
    }

    proptest! {
        #[test]
        fn the_automaton_matches_what_each_expression_matches(
            written in proptest::collection::vec(expression(), 4..9),
            path in "[a-cA-C1/ _.\\-]{0,6}",
        ) {
            let naive: Vec<usize> = (0..written.len())
                .filter(|&at| regex_lite::Regex::new(&format!("^(?:{})$", written[at])).unwrap().is_match(&path))
                .collect();
            prop_assert_eq!(found(&written, &path).0, naive);
        }
    }

    /// Expressions of every construct that the two engines share.
    fn expression() -> impl Strategy<Value = String> {
        let leaf = proptest::sample::select(vec![
            "a",
            "b",
            "/",
            ".",
            r"\d",
            r"\w",
            r"\W",
            r"\s",
            r"\D",
            "[a-b]",
            "[^a]",
            "(?i:a)",
            "(?i:[^b])",
            r"\.",
            r"\b",
            r"\B",
            "^",
            "$",
            r"\x61",
            "[[:alpha:]]",
            "(?s:.)",
            "(?m:^a$)",
            "é",
            r"\A",
            r"\z",
            "[^é]",
            r"[\d_]",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                (inner.clone(), proptest::sample::select(vec!["*", "+", "?", "{0,2}", "{2}", "*?"]))
                    .prop_map(|(inner, times)| format!("(?:{inner}){times}")),
                (inner.clone(), inner).prop_map(|(one, other)| format!("({one}|{other})")),
            ]
        })
    }
}
