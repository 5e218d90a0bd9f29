//! The channels that documents declare, and where their events are to be kept.

use crate::config::StoreSettings;
use crate::event::{self, ChannelSpec};
use crate::manifest::{Diagnostic, Diagnostics, Document, Severity, codes};
use crate::upstream::registry::Names;
use std::sync::Arc;

/// The channels of these documents; none, and findings, when they do not fit together.
pub(super) fn resolve(names: &Names, documents: &[Arc<Document>], diagnostics: &mut Diagnostics) -> Vec<ChannelSpec> {
    let mine: Vec<&Arc<Document>> =
        documents.iter().filter(|document| event::resource::GROUPS.contains(&document.group.as_str())).collect();
    let given: Vec<event::Document<'_>> = mine
        .iter()
        .map(|document| event::Document {
            namespace: &document.namespace,
            name: &document.name,
            kind: &document.kind,
            value: &document.value,
        })
        .collect();
    event::resolve(names, &given).unwrap_or_else(|errors| {
        for error in errors {
            let document =
                mine.iter().find(|document| document.kind == error.kind && document.label().ends_with(&error.name));
            let message = format!("{}: {}", error.field, error.reason);
            match document {
                Some(document) => {
                    diagnostics.push(document.diagnostic(Severity::Error, codes::CHANNEL, "/spec", message));
                }
                None => diagnostics.push(Diagnostic::error(codes::CHANNEL, message)),
            }
        }
        Vec::new()
    })
}

/// Says of which channels the events cannot be kept where they are to be.
pub(super) fn report_missing_stores(
    events: &StoreSettings,
    channels: &[ChannelSpec],
    documents: &[Arc<Document>],
    diagnostics: &mut Diagnostics,
) {
    for channel in channels {
        let Some(reason) = events.missing(channel.store) else { continue };
        let named = |document: &&Arc<Document>| {
            document.group == "messaging.knative.dev"
                && document.kind != "Subscription"
                && format!("{}/{}", document.namespace, document.name) == channel.name
        };
        let message = format!("channel {} takes no events: {reason}", channel.name);
        diagnostics.push(match documents.iter().find(named) {
            Some(document) => document.diagnostic(Severity::Warning, codes::CHANNEL, "/kind", message),
            None => Diagnostic::new(Severity::Warning, codes::CHANNEL, message),
        });
    }
}
