//! The format of a file of cases.

use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The file that lists what is known to differ lies beside the cases.
const DIFFERENCES: &str = "differences.yaml";

/// A file of cases: one proxy, its manifests and backends, and what is asked of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// The file's name without extension, which every case's name begins with.
    #[serde(skip)]
    pub name: String,
    /// What the cases hold the proxy to, and where that is specified.
    pub about: String,
    /// Ports as Gateway documents declare them; each is mapped to a free port. The first is where requests go that
    /// name no listener; without any, they go to the proxy's plain listener.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Backends by name. Each echoes what it gets and says its name.
    #[serde(default)]
    pub backends: BTreeMap<String, Backend>,
    /// Secrets by name, each with a certificate for these DNS names; the documents are made.
    #[serde(default)]
    pub certificates: BTreeMap<String, Vec<String>>,
    /// Documents; `${NAME.ip}` and `${NAME.port}` stand for a backend's address.
    #[serde(default)]
    pub manifests: String,
    /// Requests and what must become of them.
    #[serde(default)]
    pub cases: Vec<Case>,
    /// Documents of a kind and whether they are taken.
    #[serde(default)]
    pub loads: Loads,
}

/// A backend.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Backend {
    /// `NAME[:PORT]` of services that `--upstream` makes it an endpoint of; its own name when this and `service` are
    /// absent.
    pub serves: Option<Vec<String>>,
    /// `NAME[.NAMESPACE]:PORT` of a Service that it is the endpoint of; the documents are made.
    pub service: Option<String>,
    /// The `appProtocol` of that Service's port.
    pub protocol: Option<String>,
    /// The DNS names of the certificate with which it speaks TLS; absent speaks none.
    pub tls: Option<Vec<String>>,
}

/// A request and what must become of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// Unique in the file; the request and its headers when absent.
    #[serde(default)]
    pub name: String,
    /// `METHOD URL`. The method `GRPC` makes it a unary gRPC call, `WEBSOCKET` an upgrade with an exchange of bytes.
    pub request: String,
    /// Header lines: a text, or a list of texts.
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// The declared port of the listener, if not the first one.
    pub listener: Option<u16>,
    /// The server name of a TLS connection; without it the connection is plain.
    pub sni: Option<String>,
    /// Whether HTTP/2 is spoken. gRPC always does.
    #[serde(default)]
    pub http2: bool,
    /// How often the request is sent, one after the other; once when absent.
    pub repeat: Option<usize>,
    /// What backends do with the first requests of this case, before they echo.
    #[serde(default)]
    pub script: BTreeMap<String, Vec<Step>>,
    /// What must become of it.
    pub expect: Expect,
}

/// What a backend does with the next requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// How many requests; one when absent.
    pub times: Option<usize>,
    /// Milliseconds to wait first.
    pub delay: Option<u64>,
    /// The status of the answer; an echo when absent.
    pub status: Option<u16>,
    /// Whether the connection ends without an answer.
    #[serde(default)]
    pub reset: bool,
}

/// What must become of a request. What is absent is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// A status, or a list of them. 200 when a backend is named and this is absent.
    pub status: Option<Value>,
    /// Who answers.
    pub backend: Option<String>,
    /// The gRPC status, from the trailers or the headers.
    pub grpc_status: Option<u32>,
    /// Headers as the client gets them.
    pub headers: BTreeMap<String, Value>,
    /// The body as the client gets it.
    pub body: Option<String>,
    /// The request as the backend that answers gets it; `${backend}` stands for that backend's name.
    pub upstream: Seen,
    /// How many requests arrive at each: a number, or the least and the most.
    pub arrived: BTreeMap<String, Value>,
    /// The last request that arrives at each, which need not be the one that answers.
    pub copies: BTreeMap<String, Seen>,
    /// The part of the answers that each gives.
    pub share: BTreeMap<String, f64>,
    /// By how much a share may differ; 0.05 when absent.
    pub tolerance: Option<f64>,
    /// Whether there is no answer at all, as the handshake is refused.
    pub refused: bool,
    /// Whether every repetition is answered by the same backend.
    pub sticky: Option<bool>,
}

/// A request as it arrives.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Seen {
    /// The method.
    pub method: Option<String>,
    /// Path and query.
    pub path: Option<String>,
    /// The authority.
    pub host: Option<String>,
    /// Headers.
    pub headers: BTreeMap<String, Value>,
}

/// Documents of one kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Loads {
    /// Their `apiVersion`.
    pub api_version: String,
    /// Their kind.
    pub kind: String,
    /// One by one.
    pub cases: Vec<Load>,
}

/// A document and whether it is taken.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Load {
    /// Unique in the file.
    pub name: String,
    /// Its spec. In a text, `${x*3}` stands for `xxx`.
    pub spec: Value,
    /// What is said of it.
    pub expect: Verdict,
    /// A part of one of the messages.
    pub says: Option<String>,
}

/// What is said of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No error.
    Accepted,
    /// No error, but a warning.
    Warned,
    /// An error with its place.
    Refused,
}

/// Reads all files of a directory, in the order of their names.
///
/// # Errors
/// With what is wrong with the first file that cannot be read, and where.
pub fn read_directory(directory: &Path) -> Result<Vec<File>, String> {
    let entries = std::fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let paths: BTreeSet<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    let is_cases = |path: &&std::path::PathBuf| {
        path.extension().is_some_and(|extension| extension == "yaml") && !path.ends_with(DIFFERENCES)
    };
    paths.iter().filter(is_cases).map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<File, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    File::parse(&name, &text).map_err(|error| format!("{}: {error}", path.display()))
}

impl File {
    /// Reads the text of a file and names its cases.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut file: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        name.clone_into(&mut file.name);
        let mut names = BTreeSet::new();
        for case in &mut file.cases {
            if case.name.is_empty() {
                case.name = case.described();
            }
            if !names.insert(case.name.clone()) {
                return Err(format!("two cases are called `{}`; give one a name", case.name));
            }
        }
        match file.loads.cases.iter().find(|load| !names.insert(load.name.clone())) {
            Some(load) => Err(format!("two cases are called `{}`", load.name)),
            None => Ok(file),
        }
    }
}

impl Case {
    /// The request in a line.
    fn described(&self) -> String {
        let mut parts = vec![self.request.clone()];
        let header = |(name, value): (&String, &Value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        };
        parts.extend(self.headers.iter().map(header));
        parts.extend(self.listener.map(|port| format!("on {port}")));
        parts.extend(self.sni.as_ref().map(|name| format!("by {name}")));
        parts.join(" ")
    }
}

/// A text or a list of texts.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_without_a_name_is_called_by_its_request() {
        let text = "
about: one
backends: {v1: {serves: ['shop:80']}}
cases:
- {request: GET http://a/, headers: {x: '1'}, listener: 8080, expect: {backend: v1}}
";
        let file = File::parse("paths", text).expect("it is a file of cases");
        assert_eq!(file.cases[0].name, "GET http://a/ x=1 on 8080");
        let twice = format!("{text}{}", text.lines().last().expect("there is one"));
        assert!(File::parse("paths", &twice).is_err());
    }

    #[test]
    fn an_unknown_expectation_is_refused() {
        let text = "about: one\ncases:\n- {request: GET http://a/, expect: {statsu: 1}}\n";
        let error = File::parse("paths", text).expect_err("there is no such field");
        assert!(error.contains("statsu"), "{error}");
    }
}
