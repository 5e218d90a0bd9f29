//! A composition as it is carried out: everything checked, every name looked up, every template read.

use crate::part::{Body, CallLimits, Slot};
use crate::pattern::Pattern;
use crate::template::{Chain, Node, Text};
use sluicegate_sdk::{Assembly, CachePolicy, Destination, RetryPolicy};

/// A composition.
#[derive(Debug)]
pub struct Composition {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// `file:line`.
    pub origin: String,
    /// Which requests it takes.
    pub matching: Matching,
    /// How much of the request's body to take in, in bytes, when something uses it.
    pub request_body: Option<u64>,
    /// For all calls together, in milliseconds.
    pub deadline: u64,
    /// The calls.
    pub calls: Vec<Call>,
    /// The same calls, as others speak of them.
    pub slots: Vec<Slot>,
    /// The calls that are made at the same time, one stage after the other.
    pub stages: Vec<Vec<usize>>,
    /// What is answered.
    pub response: Response,
    /// Headers of answers that something speaks of, in lower case.
    pub kept_headers: Vec<String>,
    /// The answer in which all goes well, where it is known.
    pub expected: Option<Assembly>,
}

/// Which requests a composition takes.
#[derive(Debug)]
pub struct Matching {
    /// Hosts by their full names.
    pub hosts: Vec<String>,
    /// Methods.
    pub methods: Vec<String>,
    /// The path.
    pub path: Pattern,
    /// The path as it is written.
    pub written_path: String,
    /// Conditions on headers.
    pub headers: Vec<HeaderCondition>,
}

/// A condition on a header.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeaderCondition {
    /// Its name, in lower case.
    pub name: String,
    /// The whole value.
    pub exact: Option<String>,
    /// How it begins.
    pub prefix: Option<String>,
    /// Whether it has to be there.
    pub present: bool,
}

/// A call, or a choice among calls.
#[derive(Debug)]
pub enum Call {
    /// A service is asked.
    Service(Box<ServiceCall>),
    /// The good ones of other calls.
    Choice(Choice),
}

/// The good ones of other calls, which are made at the same time.
#[derive(Debug)]
pub struct Choice {
    /// The calls.
    pub members: Vec<usize>,
    /// How many good ones are enough.
    pub enough: u32,
    /// Whether the result is the list of those, rather than the first.
    pub list: bool,
    /// Whether the composition fails when there are not enough.
    pub required: bool,
}

/// A call of a service.
#[derive(Debug)]
pub struct ServiceCall {
    /// The service.
    pub destination: Destination,
    /// The method.
    pub method: String,
    /// The path.
    pub path: Path,
    /// Parameters of the query: encoded names with templates.
    pub query: Vec<(String, Node)>,
    /// Headers.
    pub headers: Vec<(String, Text)>,
    /// Headers of the request that go along.
    pub pass: PassedHeaders,
    /// The body.
    pub body: Option<Node>,
    /// The list for each of whose elements it is made.
    pub each: Option<Each>,
    /// The condition.
    pub when: Option<Condition>,
    /// Whether the composition fails with it.
    pub required: bool,
    /// What is a good answer.
    pub limits: CallLimits,
    /// Statuses that are answered as they are.
    pub pass_on: Vec<(u16, u16)>,
    /// When it is made again.
    pub retries: Option<RetryPolicy>,
    /// How long its answers are kept.
    pub cache: Option<CachePolicy>,
    /// Where the body of a good answer has to be.
    pub body_use: Body,
}

impl ServiceCall {
    /// Whether an answer of this status is the answer of the whole.
    pub fn passes_on(&self, status: u16) -> bool {
        self.pass_on.iter().any(|&(first, last)| (first..=last).contains(&status))
    }

    /// Whether the host checks that a good answer is JSON. What is passed on may be anything.
    pub fn is_checked(&self) -> bool {
        self.pass_on.is_empty()
    }
}

/// The path of a call.
#[derive(Debug, PartialEq)]
pub enum Path {
    /// A template of the path.
    Template(Text),
    /// Path and query of the request.
    Requests,
}

/// Headers of the request that a call gets.
#[derive(Debug, PartialEq, Eq)]
pub enum PassedHeaders {
    /// These.
    Named(Vec<String>),
    /// All that do not speak of the request's own body or connection.
    All,
}

/// A list for each of whose elements a call is made.
#[derive(Debug)]
pub struct Each {
    /// The list.
    pub over: Chain,
    /// The most elements.
    pub limit: usize,
    /// How many of these calls at once.
    pub concurrency: Option<u32>,
}

/// A condition for a call.
#[derive(Debug, PartialEq)]
pub enum Condition {
    /// The value is there and not `null`.
    Exists(Chain),
    /// The two are the same JSON.
    Equals(Node, Node),
    /// The call was answered with one of these statuses.
    Status(usize, Vec<(u16, u16)>),
    /// The call has a good answer.
    Succeeded(usize),
    /// The call was made and has none.
    Failed(usize),
    /// All of them hold.
    All(Vec<Condition>),
    /// One of them holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

/// What is answered.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: Status,
    /// Headers.
    pub headers: Vec<(String, Text)>,
    /// The body.
    pub body: Node,
    /// Whether it has an entity tag.
    pub etag: bool,
    /// Headers of the request that the answer depends on.
    pub vary: Vec<String>,
}

/// The status of the answer.
#[derive(Debug, PartialEq)]
pub enum Status {
    /// This one.
    Fixed(u16),
    /// A template of it.
    Template(Text),
    /// 200 when at least one call has a good answer, and otherwise the status of a failure.
    ByParts,
}
