//! The resource as it is written.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::marker::PhantomData;

/// What stands under `spec`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Spec {
    /// Whose requests are composed.
    pub hosts: Vec<String>,
    /// Which methods; GET when left out.
    pub methods: Vec<String>,
    /// Which path.
    pub path: String,
    /// Which headers.
    pub headers: Ordered<HeaderMatch>,
    /// The request's body, where templates use it.
    pub request_body: RequestBody,
    /// For all calls together.
    pub deadline: Option<String>,
    /// The calls, by name.
    pub calls: Ordered<Call>,
    /// The answer.
    pub response: Response,
}

/// What a header has to be like. All that is there has to hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderMatch {
    /// The whole value.
    pub exact: Option<String>,
    /// How it begins.
    pub prefix: Option<String>,
    /// Whether it is there.
    pub present: Option<bool>,
}

/// The request's body.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct RequestBody {
    /// In bytes.
    pub max_bytes: Option<u64>,
    /// What is known of it.
    pub schema: Option<Value>,
}

/// One call.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Call {
    /// `NAME` or `NAME:PORT`.
    pub service: Option<String>,
    /// The subset of a DestinationRule.
    pub subset: Option<String>,
    /// GET when left out.
    pub method: Option<String>,
    /// A template.
    pub path: Option<String>,
    /// Templates by the names of parameters.
    pub query: Ordered<Value>,
    /// Templates by the names of headers.
    pub headers: Ordered<String>,
    /// Headers of the request that go along.
    pub pass_headers: Vec<String>,
    /// A template.
    pub body: Option<Value>,
    /// A list, for each element of which the call is made.
    pub for_each: Option<String>,
    /// The element's name.
    pub r#as: Option<String>,
    /// The most elements.
    pub limit: Option<u32>,
    /// How many of these calls at once.
    pub concurrency: Option<u32>,
    /// The condition.
    pub when: Option<Condition>,
    /// Calls that come before it, although it uses nothing of them.
    pub after: Vec<String>,
    /// For all tries together.
    pub deadline: Option<String>,
    /// When to try again.
    pub retries: Option<Retries>,
    /// The largest body, in bytes.
    pub max_body: Option<u64>,
    /// The good statuses.
    pub accept: Vec<Value>,
    /// Statuses that are answered as they are.
    pub pass_on: Vec<Value>,
    /// How long answers are kept.
    pub cache: Option<Cache>,
    /// Whether the composition goes on without it.
    pub optional: bool,
    /// The JSON that stands in for its body.
    #[serde(deserialize_with = "there")]
    pub default: Option<Value>,
    /// What is known of its body.
    pub schema: Option<Value>,
    /// Instead of a call: the first good one of these.
    pub first_of: Option<Vec<String>>,
    /// Instead of a call: several good ones of these.
    pub quorum: Option<Quorum>,
}

/// Several good ones of some calls.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quorum {
    /// The calls.
    pub of: Vec<String>,
    /// How many.
    pub enough: u32,
}

/// When to try again.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Retries {
    /// After the first try.
    pub attempts: u32,
    /// Conditions, such as `connect-failure` or `503`.
    pub conditions: Vec<Value>,
    /// For each try.
    pub per_try: Option<String>,
    /// Base of the backoff.
    pub backoff: Option<String>,
}

/// How long answers are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Cache {
    /// Where they do not say so themselves.
    pub r#for: Option<String>,
    /// Used while a new one is fetched.
    pub stale_while_revalidate: Option<String>,
    /// Used in place of a failure.
    pub stale_if_error: Option<String>,
}

/// A condition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Condition {
    /// The value is there and not `null`.
    Exists(String),
    /// The two are equal.
    Equals(Vec<Value>),
    /// A call was answered with one of these statuses.
    Status(StatusCondition),
    /// A call has a good answer.
    Succeeded(String),
    /// A call was made and has no good answer.
    Failed(String),
    /// All of them hold.
    All(Vec<Condition>),
    /// One of them holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

/// The status of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusCondition {
    /// The call.
    pub of: String,
    /// The statuses.
    pub r#in: Vec<Value>,
}

/// The answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Response {
    /// A number, or a template of one.
    pub status: Option<Value>,
    /// Templates by the names of headers.
    pub headers: Ordered<String>,
    /// A template.
    pub body: Option<Value>,
    /// Whether the answer has an entity tag.
    pub etag: bool,
}

/// Keys with values, in the order in which they are written.
#[derive(Debug)]
pub struct Ordered<T>(pub Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    /// The keys with their values.
    pub fn iter(&self) -> std::slice::Iter<'_, (String, T)> {
        self.0.iter()
    }
}

impl<'a, T> IntoIterator for &'a Ordered<T> {
    type Item = &'a (String, T);
    type IntoIter = std::slice::Iter<'a, (String, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("names with values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// A value that may be `null`, as opposed to none.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
