//! Documents of kind `Filter` (`sluicegate.dev/v1alpha1`): how the operator runs a filter.

mod resilience;
mod rollout;

use super::bounds::{self, Reader};
use crate::config::limits;
use crate::config::quantity;
use crate::manifest::{Diagnostics, Document, Severity, codes};
use crate::rollout::Plan;
use crate::wasm::{FilterSettings, OnFailure, WrittenGrants};
use serde_json::Value;
use std::time::Duration;

/// JSON schema of a `Filter` document.
pub const POLICY_SCHEMA: &str = include_str!("filter.schema.json");

/// How a filter is run.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterPolicy {
    /// Its place in the chain, if not the one in its manifest.
    pub priority: Option<i32>,
    /// Whether it is in the chain at all.
    pub enabled: bool,
    /// What it may import.
    pub capabilities: Vec<String>,
    /// The digest that its component has to have, `sha256:` and 64 hexadecimal digits.
    pub digest: Option<String>,
    /// Where its decisions may reach; none says nothing of it.
    pub grants: Option<WrittenGrants>,
    /// How new versions of it come into force.
    pub rollout: Plan,
    /// The rest.
    pub settings: FilterSettings,
}

impl Default for FilterPolicy {
    /// A filter without a document may log, and nothing else.
    fn default() -> Self {
        Self {
            priority: None,
            enabled: true,
            capabilities: vec!["log".into()],
            digest: None,
            grants: None,
            rollout: Plan::default(),
            settings: FilterSettings::default(),
        }
    }
}

impl FilterPolicy {
    /// Reads a document that fits [`POLICY_SCHEMA`]. What is out of range is said, and the default stands in for it.
    pub fn read(document: &Document, diagnostics: &mut Diagnostics) -> Self {
        let mut policy = Self::default();
        let spec = document.value.get("spec").unwrap_or(&Value::Null);
        let text = |field: &str| spec.get(field).and_then(Value::as_str);
        policy.priority = spec.get("priority").and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
        policy.enabled = spec.get("enabled").and_then(Value::as_bool).unwrap_or(true);
        if let Some(listed) = spec.get("capabilities").and_then(Value::as_array) {
            policy.capabilities.extend(listed.iter().filter_map(Value::as_str).map(str::to_owned));
            policy.capabilities.sort();
            policy.capabilities.dedup();
        }
        policy.digest = text("digest").map(str::to_owned);
        policy.grants = bounds::grants(spec);
        policy.settings.bounds = bounds::read(&mut Reader { document, spec, diagnostics }).into();
        policy.rollout = rollout::read(document, diagnostics);
        let settings = &mut policy.settings;
        if text("failure") == Some("open") {
            settings.failure = OnFailure::Open;
        }
        settings.isolated = text("isolation") == Some("request");
        settings.resilience = resilience::read(document, diagnostics);
        settings.settings = spec.get("settings").cloned().unwrap_or(Value::Null);
        let mut refuse = |field: &str, message: String, help: &str| {
            let pointer = format!("/spec/{field}");
            diagnostics.push(
                document.diagnostic(Severity::Error, codes::FILTER_SETTINGS, &pointer, message).help(help.to_owned()),
            );
        };
        if let Some(text) = text("deadline") {
            match quantity::duration(text) {
                Ok(deadline) if (Duration::from_millis(1)..=Duration::from_secs(1)).contains(&deadline) => {
                    settings.deadline = deadline;
                }
                _ => refuse("deadline", format!("`{text}` is not a deadline"), "write a duration from 1ms to 1s"),
            }
        }
        if let Some(text) = text("memory") {
            match quantity::size(text).ok().and_then(|bytes| usize::try_from(bytes).ok()) {
                Some(bytes) if (1 << 20..=limits::FILTER_MEMORY_MAX).contains(&bytes) => settings.memory = bytes,
                _ => refuse("memory", format!("`{text}` is not a memory size"), "write a size from 1MiB to 256MiB"),
            }
        }
        if let Some(text) = text("inspectedBody") {
            match quantity::size(text) {
                Ok(bytes) => settings.inspected_body = bytes,
                Err(_) => refuse("inspectedBody", format!("`{text}` is not a size"), "write a size such as 1MiB"),
            }
        }
        policy
    }
}
