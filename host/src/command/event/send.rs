//! `sluice event send`: publishes an event.

use super::client;
use crate::args::Format;
use crate::args::dead_letter::full_name;
use crate::args::event::EventSend;
use crate::command::exit::{Failure, Verdict};
use crate::command::print;
use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};
use sluicegate::admin::client::post;
use std::io::Read;

pub(super) fn send(send: &EventSend) -> Result<Verdict, Failure> {
    let data = send.data.as_deref().map(read).transpose()?;
    let event = event(send, data)?;
    let id = event["id"].as_str().unwrap_or_default().to_owned();
    match (&send.channel, &send.url) {
        (Some(channel), _) => drop(client(&send.ask)?.publish(&full_name(channel), &event)?),
        (None, Some(url)) => {
            let body = serde_json::to_vec(&event).context("the event cannot be written")?;
            let status = post(url, &send.headers, body)?;
            if !(200..300).contains(&status) {
                return Err(anyhow::anyhow!("{url} answered {status}").into());
            }
        }
        (None, None) => return Err(Failure::Usage("say to which channel, or to which --url".to_owned())),
    }
    match send.ask.output {
        Format::Json => print::json(&event)?,
        Format::Table => print::text(&format!("{id}\n"))?,
    }
    Ok(Verdict::Fine)
}

/// The data that an argument names.
fn read(argument: &str) -> Result<Vec<u8>, Failure> {
    if argument == "-" {
        let mut data = Vec::new();
        std::io::stdin().read_to_end(&mut data).context("standard input")?;
        return Ok(data);
    }
    match argument.strip_prefix('@') {
        Some(file) => Ok(std::fs::read(file).with_context(|| file.to_owned())?),
        None => Ok(argument.as_bytes().to_vec()),
    }
}

/// The event in the JSON format of CloudEvents.
fn event(send: &EventSend, data: Option<Vec<u8>>) -> Result<Value, Failure> {
    let mut event = Map::new();
    let mut put = |name: &str, value: &str| event.insert(name.to_owned(), Value::String(value.to_owned()));
    put("specversion", "1.0");
    put("id", &send.id.clone().unwrap_or_else(|| format!("{:032x}", fastrand::u128(..))));
    put("source", &send.source);
    put("type", &send.kind);
    if let Some(subject) = &send.subject {
        put("subject", subject);
    }
    for (name, value) in &send.extensions {
        put(name, value);
    }
    if let Some(data) = data {
        put("datacontenttype", &send.content_type);
        let is_json = send.content_type.split(';').next().is_some_and(|essence| essence.trim().ends_with("json"));
        let (name, value) = if is_json {
            let parsed = serde_json::from_slice(&data).map_err(|error| {
                Failure::Usage(format!("the data is no JSON ({error}); say what it is with --content-type"))
            })?;
            ("data", parsed)
        } else {
            ("data_base64", Value::String(BASE64_STANDARD.encode(data)))
        };
        event.insert(name.to_owned(), value);
    }
    Ok(Value::Object(event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Ask;

    fn sending(content_type: &str) -> EventSend {
        EventSend {
            channel: Some("orders".into()),
            kind: "t".into(),
            source: "/s".into(),
            id: Some("1".into()),
            subject: None,
            extensions: vec![("region".into(), "eu".into())],
            data: None,
            content_type: content_type.into(),
            url: None,
            headers: Vec::new(),
            ask: Ask { admin: String::new(), output: Format::Table },
        }
    }

    #[test]
    fn data_is_json_or_bytes() {
        let json = event(&sending("application/json"), Some(b"{\"a\": 1}".to_vec())).unwrap();
        assert_eq!((&json["data"]["a"], &json["region"]), (&Value::from(1), &Value::from("eu")));
        let text = event(&sending("text/plain"), Some(b"hi".to_vec())).unwrap();
        assert_eq!(
            (&text["data_base64"], &text["datacontenttype"]),
            (&Value::from("aGk="), &Value::from("text/plain"))
        );
        assert!(event(&sending("application/json"), None).unwrap().get("datacontenttype").is_none());
        let wrong = event(&sending("application/json"), Some(b"hi".to_vec())).unwrap_err();
        assert!(wrong.to_string().contains("--content-type"), "{wrong}");
    }
}
