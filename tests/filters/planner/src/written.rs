//! A plan as tests write it.

use serde::{Deserialize, Serialize};
use sluicegate_sdk::{BodyUse, Call, CallGroup, Plan, RetryCondition, RetryPolicy, cache, call, gather, group};

/// A plan, and what is done with its outcomes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Written {
    calls: Vec<WrittenCall>,
    groups: Vec<WrittenGroup>,
    deadline: Option<u64>,
    /// The answer's pieces; without them the outcomes are told as JSON.
    answer: Option<Vec<Part>>,
    /// The next plan.
    then: Option<Box<Written>>,
}

/// A piece of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    /// This text.
    Bytes(String),
    /// The body of this call.
    BodyOf(String),
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenCall {
    name: String,
    /// The service; the name itself unless it is said.
    to: Option<String>,
    path: Option<String>,
    method: Option<String>,
    deadline: Option<u64>,
    required: bool,
    max_body: Option<u64>,
    /// First and last.
    accept: Vec<(u16, u16)>,
    /// Tries again so often when the connection ends.
    retries: u32,
    /// `splice` or `splice-json`.
    body: Option<String>,
    /// Kept for so long, in milliseconds, where the response says nothing.
    cache: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenGroup {
    calls: Vec<String>,
    concurrency: Option<u32>,
    enough: Option<u32>,
    required: bool,
}

impl Written {
    /// The plan, its answer's pieces, and the next plan.
    pub(super) fn plan(self) -> (Plan, Option<Vec<Part>>, Option<Box<Self>>) {
        let mut plan = gather();
        plan.calls = self.calls.into_iter().map(WrittenCall::call).collect();
        plan.groups = self.groups.into_iter().map(WrittenGroup::group).collect();
        plan.deadline = self.deadline;
        (plan, self.answer, self.then)
    }
}

impl WrittenCall {
    fn call(self) -> Call {
        let to = self.to.unwrap_or_else(|| self.name.clone());
        let mut made = call(self.name, to.as_str(), self.path.unwrap_or_else(|| "/".to_owned()));
        made.method = self.method.unwrap_or(made.method);
        (made.deadline, made.required, made.max_body) = (self.deadline, self.required, self.max_body);
        made.accept = self.accept.into_iter().map(|(first, last)| (first..=last).into()).collect();
        made.body_use = match self.body.as_deref() {
            Some("read-json") => BodyUse::ReadJson,
            Some("splice") => BodyUse::Splice,
            Some("splice-json") => BodyUse::SpliceJson,
            _ => BodyUse::Read,
        };
        made.cache = self.cache.map(|lifetime| cache().default_lifetime(lifetime));
        if self.retries > 0 {
            let policy = RetryPolicy::new(self.retries).on(RetryCondition::Reset).on(RetryCondition::ServerError);
            made.retries = Some(policy.backoff(1));
        }
        made
    }
}

impl WrittenGroup {
    fn group(self) -> CallGroup {
        let mut made = group(self.calls);
        (made.concurrency, made.enough, made.required) = (self.concurrency, self.enough, self.required);
        made
    }
}
