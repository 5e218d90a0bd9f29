//! Events that clients listen to.

use super::request::{host_of, path_of};
use crate::bridging::EventStream;
use crate::config::destination::Reference;
use crate::config::reader::Reader;
use serde::Deserialize;
use sluicegate_sdk::Resource;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StreamSpec {
    host: String,
    path: Option<String>,
    from: Reference,
    filter: Option<FilterSpec>,
    #[serde(default)]
    allow_origins: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterSpec {
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

pub(super) fn stream(reader: &mut Reader<'_>, resource: &Resource, spec: &StreamSpec) {
    let host = host_of(reader, (resource, "/spec/stream/host"), &spec.host);
    let path = path_of(reader, (resource, "/spec/stream/path"), spec.path.as_deref());
    let attributes: Vec<(String, String)> = spec.filter.iter().flat_map(|filter| filter.attributes.clone()).collect();
    for (name, _) in &attributes {
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) || name.is_empty() {
            let pointer = format!("/spec/stream/filter/attributes/{}", name.replace('~', "~0").replace('/', "~1"));
            let message = format!("{name:?} is not a name of an attribute");
            reader.error((resource, &pointer), "SG0420", &message, "names have a-z and 0-9 only");
        }
    }
    for (index, origin) in spec.allow_origins.iter().enumerate() {
        let is_origin = origin.split_once("://").is_some_and(|(scheme, host)| {
            matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains(['/', '?', '#', ' '])
        });
        if origin != "*" && !is_origin {
            let message = format!("{origin:?} is not an origin");
            let help = "write it as browsers do, such as https://shop.example, or * for every page";
            reader.error((resource, &format!("/spec/stream/allowOrigins/{index}")), "SG0451", &message, help);
        }
    }
    let Some(index) = reader.channel((resource, "/spec/stream/from"), &spec.from) else { return };
    let Some(channel) = reader.configuration.channels.get(index) else { return };
    let stream = EventStream {
        name: format!("{}/{}", resource.namespace, resource.name),
        origin: resource.origin.clone(),
        host,
        path,
        channel: channel.full_name(),
        attributes,
        origins: spec.allow_origins.iter().map(|origin| origin.to_ascii_lowercase()).collect(),
    };
    let same = |known: &&EventStream| (&known.host, &known.path) == (&stream.host, &stream.path);
    if let Some(known) = reader.configuration.streams.iter().find(same).map(|known| known.origin.clone()) {
        let message = format!("another bridge streams events at {}{} already, at {known}", stream.host, stream.path);
        return reader.error((resource, "/spec/stream/path"), "SG0448", &message, "give it another host or path");
    }
    reader.configuration.streams.push(stream);
}
