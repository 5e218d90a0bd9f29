//! Documents of channels and their subscriptions.

use std::fmt;

/// Documents in one file, one after the other.
#[must_use]
#[derive(Debug, Clone, Default)]
pub struct Eventing(Vec<String>);

impl Eventing {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a Channel.
    pub fn channel(self, name: &str) -> Self {
        self.document(format!(
            "apiVersion: messaging.knative.dev/v1\nkind: Channel\nmetadata: {{name: {name}}}\nspec: {{}}\n"
        ))
    }

    /// Adds a Subscription that has the events of a channel delivered to a service.
    pub fn subscription(self, name: &str, channel: &str, service: &str) -> Self {
        self.subscription_with(name, channel, service, "{}", "{}")
    }

    /// The same with annotations and `delivery`, each as YAML between braces.
    pub fn subscription_with(
        self,
        name: &str,
        channel: &str,
        service: &str,
        annotations: &str,
        delivery: &str,
    ) -> Self {
        self.document(format!(
            "apiVersion: messaging.knative.dev/v1
kind: Subscription
metadata: {{name: {name}, annotations: {annotations}}}
spec:
  channel: {{apiVersion: messaging.knative.dev/v1, kind: Channel, name: {channel}}}
  subscriber: {{ref: {{apiVersion: v1, kind: Service, name: {service}}}}}
  delivery: {delivery}
"
        ))
    }

    /// Adds an EventBridge: a request to `http://shop/quotes` is a question to a channel or broker, which is given as a reference
    /// in YAML between braces, and is answered by an event.
    pub fn quotes(self, to: &str) -> Self {
        self.document(format!(
            "apiVersion: sluicegate.dev/v1alpha1
kind: EventBridge
metadata: {{name: quote}}
spec:
  request:
    host: shop
    path: /quotes
    to: {to}
    event: {{type: quote.asked, source: /shop}}
    reply: {{timeout: PT10S, keep: PT1M}}
"
        ))
    }

    /// Adds any document.
    pub fn document(mut self, text: impl Into<String>) -> Self {
        self.0.push(text.into());
        self
    }
}

impl fmt::Display for Eventing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("---\n"))
    }
}
