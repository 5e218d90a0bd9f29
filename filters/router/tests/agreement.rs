//! The compiled matcher finds what trying one rule after the other finds.
//!
//! 20,000 cases by default; `SLUICEGATE_CASES=1000000` asks for more.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use proptest::prelude::*;
use proptest::sample::select;
use sluicegate_router::matching::{Block, Candidate, Condition, Position, Specificity, VirtualHost};
use sluicegate_router::text::Pattern;
use sluicegate_router::view::View;
use sluicegate_sdk::testing::TestRequest;

const PATHS: [&str; 12] = ["", "/", "/a", "/A", "/a/", "/ab", "/a/b", "/A/b", "/a/b/c", "/b", "/b/1", "/b/12"];
const EXPRESSIONS: [&str; 10] =
    [".*", "/a.*", "/[ab]", r"/b/\d+", "(?i)/A/.*", "/a|/ab", "/.", r"/\w/\w", "/a/?b?", "/é.*"];

fn cases() -> u32 {
    std::env::var("SLUICEGATE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20_000)
}

fn regex(text: &&'static str) -> Pattern {
    let compiled = regex_lite::Regex::new(&format!("^(?:{text})$")).expect("the test's own expression");
    Pattern::Regex(compiled, (*text).to_owned())
}

/// A pattern for the path, by kind and text, so that a case that fails can be read.
#[derive(Debug, Clone)]
enum Path {
    Every,
    Text(fn(String) -> Pattern, &'static str, &'static str),
    Expression(&'static str),
}

impl Path {
    fn pattern(&self) -> Option<Pattern> {
        match self {
            Self::Every => None,
            Self::Text(kind, _, text) if *text == "/" => Some(kind("/".to_owned())),
            Self::Text(kind, name, text) if *name == "segments" => Some(kind(text.trim_end_matches('/').to_owned())),
            Self::Text(kind, _, text) => Some(kind((*text).to_owned())),
            Self::Expression(text) => Some(regex(text)),
        }
    }
}

/// A kind of pattern and what it is called.
type Kind = (fn(String) -> Pattern, &'static str);

fn path() -> impl Strategy<Value = Path> {
    let kinds: [Kind; 5] = [
        (Pattern::Exact, "exact"),
        (Pattern::Prefix, "prefix"),
        (Pattern::Segments, "segments"),
        (Pattern::ExactAnyCase, "exact in any case"),
        (Pattern::PrefixAnyCase, "prefix in any case"),
    ];
    prop_oneof![
        1 => Just(Path::Every),
        6 => (select(kinds.to_vec()), select(PATHS.to_vec())).prop_map(|((kind, name), text)| Path::Text(kind, name, text)),
        3 => select(EXPRESSIONS.to_vec()).prop_map(Path::Expression),
    ]
}

/// A match: its path, whether it asks for POST, what it asks of the header `h`, whether the parameter `q` must be there,
/// its precedence, and whether it is one that no request can match.
#[derive(Debug, Clone)]
struct Drawn {
    path: Path,
    post: bool,
    header: Option<(bool, &'static str)>,
    parameter: bool,
    precedence: Option<u32>,
    impossible: bool,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let header = proptest::option::weighted(0.2, (any::<bool>(), select(vec!["v", "w"])));
    let rarely = || proptest::bool::weighted(0.15);
    let precedence = proptest::option::weighted(0.3, 0..4_u32);
    (path(), rarely(), header, rarely(), precedence, proptest::bool::weighted(0.05)).prop_map(
        |(path, post, header, parameter, precedence, impossible)| Drawn {
            path,
            post,
            header,
            parameter,
            precedence,
            impossible,
        },
    )
}

fn block(drawn: &Drawn) -> Block {
    let exact = |text: &str| Pattern::Exact(text.to_owned());
    let mut conditions = Vec::new();
    conditions.extend(drawn.post.then(|| Condition::Method(exact("POST"))));
    conditions.extend(drawn.parameter.then(|| Condition::Query("q".to_owned(), Pattern::Present)));
    conditions.extend(drawn.header.map(|(with, value)| {
        if with {
            Condition::Header("h".to_owned(), exact(value))
        } else {
            Condition::WithoutHeader("h".to_owned(), exact(value))
        }
    }));
    Block {
        impossible: drawn.impossible.then(|| "of no account".to_owned()),
        path: drawn.path.pattern(),
        conditions,
        specificity: drawn.precedence.map(|first| Specificity::by([first, 0, 0, 0, 0])).unwrap_or_default(),
        ..Block::default()
    }
}

fn request() -> impl Strategy<Value = TestRequest> {
    let path = prop_oneof![select(PATHS.to_vec()).prop_map(str::to_owned), "/[abAB1é/]{0,5}"];
    let header = select(vec![None, Some("v"), Some("w"), Some("")]);
    (any::<bool>(), path, any::<bool>(), header).prop_map(|(post, path, parameter, header)| {
        let path = if parameter { format!("{path}?q=1") } else { path };
        let request = if post { TestRequest::post(&path) } else { TestRequest::get(&path) };
        match header {
            Some(value) => request.header("h", value),
            None => request,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn the_compiled_matcher_agrees_with_trying_every_block_in_order(
        drawn in proptest::collection::vec(drawn(), 0..14),
        requests in proptest::collection::vec(request(), 1..4),
    ) {
        let blocks: Vec<Block> = drawn.iter().map(block).collect();
        let candidates: Vec<Candidate> = blocks
            .iter()
            .zip(0..)
            .map(|(block, rule)| Candidate {
                position: Position { last: block.is_catch_all(), specificity: block.specificity, rule, ..Position::default() },
                document: 0,
                rule,
                block: 0,
            })
            .collect();
        let host = VirtualHost::build(candidates, |candidate| blocks.get(candidate.rule));
        for request in &requests {
            let request = request.request();
            let view = View::new(&request);
            let mut matching: Vec<usize> = (0..blocks.len()).filter(|&rule| blocks[rule].matches(&view)).collect();
            matching.sort_by_key(|&rule| (blocks[rule].is_catch_all(), blocks[rule].specificity, rule));
            let found = host.find(&view, |candidate| blocks.get(candidate.rule));
            prop_assert_eq!(found.map(|candidate| candidate.rule), matching.first().copied(), "{:?}", request.path());
        }
    }
}
