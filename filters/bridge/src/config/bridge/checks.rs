//! What both kinds of bridges are made of, checked.

use crate::bridging::Making;
use crate::bridging::template::{Scope, Template};
use crate::config::delivery::DURATION_HELP;
use crate::config::reader::Reader;
use crate::{attribute, duration};
use serde::Deserialize;
use sluicegate_sdk::Resource;
use std::collections::BTreeMap;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventSpec {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) source: Option<String>,
    subject: Option<String>,
    key: Option<String>,
    #[serde(default)]
    extensions: BTreeMap<String, String>,
}

pub(super) fn making(reader: &mut Reader<'_>, at: (&Resource, &str), spec: &EventSpec, scope: Scope) -> Making {
    let mut field = |name: &str, text: &Option<String>| {
        template(reader, (at.0, &format!("{}/{name}", at.1)), text.as_deref(), scope)
    };
    let (kind, source) = (field("type", &spec.kind), field("source", &spec.source));
    let (subject, key) = (field("subject", &spec.subject), field("key", &spec.key));
    let mut extensions = Vec::new();
    for (name, text) in &spec.extensions {
        let pointer = format!("{}/extensions/{}", at.1, name.replace('~', "~0").replace('/', "~1"));
        check_extension(reader, (at.0, &pointer), name);
        let text = template(reader, (at.0, &pointer), Some(text), scope);
        extensions.extend(text.map(|text| (name.clone(), text)));
    }
    Making { kind, source, subject, key, extensions }
}

pub(super) fn template(
    reader: &mut Reader<'_>,
    at: (&Resource, &str),
    text: Option<&str>,
    scope: Scope,
) -> Option<Template> {
    match Template::parse(text?, scope) {
        Ok(template) => Some(template),
        Err(reason) => {
            reader.error(at, "SG0442", &reason, "values stand in braces, such as order.{path.2}");
            None
        }
    }
}

pub(super) fn milliseconds(reader: &mut Reader<'_>, at: (&Resource, &str), text: Option<&str>) -> Option<u64> {
    let text = text?;
    let read = duration::milliseconds(text).filter(|milliseconds| *milliseconds > 0);
    if read.is_none() {
        let message = format!("{text:?} is not an ISO-8601 duration longer than nothing");
        reader.error(at, "SG0413", &message, DURATION_HELP);
    }
    read
}

pub(super) fn check_method(reader: &mut Reader<'_>, at: (&Resource, &str), method: &str) {
    let token = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    if !token || method == "CONNECT" {
        reader.error(at, "SG0444", &format!("{method:?} is not a method"), "write it in capitals, such as POST");
    }
}

pub(super) fn check_extension(reader: &mut Reader<'_>, at: (&Resource, &str), name: &str) {
    if !attribute::is_extension(name) {
        let message = format!("{name:?} is not a name that an extension may have");
        let help = "names have a-z and 0-9 alone, and are not those of other attributes";
        reader.error(at, "SG0431", &message, help);
    }
}

/// Whether a bridge may set a header: what frames a message and leads it is the host's.
pub(super) fn is_header(name: &str) -> bool {
    const HOSTS: [&str; 9] = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "te",
        "trailer",
        "proxy-connection",
    ];
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token) && !HOSTS.contains(&name.to_ascii_lowercase().as_str())
}
