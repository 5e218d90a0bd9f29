//! Events as messages: the binary mode of CloudEvents' MQTT binding, in properties of MQTT 5.

use crate::event::store::StoreError;
use crate::event::store::remote::attributes::{self, CONTENT_TYPE};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use rumqttc::v5::mqttbytes::v5::PublishProperties;

/// The properties of an event, whose data is the message's.
pub(super) fn properties(event: &Event) -> Result<PublishProperties, StoreError> {
    let mut properties = PublishProperties::default();
    for (name, value) in attributes::of(event) {
        if u16::try_from(value.len()).is_err() {
            // MQTT 5, 1.5.4.
            return Err(StoreError::TooLarge(format!("MQTT takes at most 65535 bytes for its attribute {name}")));
        }
        if name == CONTENT_TYPE {
            properties.content_type = Some(value.to_owned());
        } else {
            properties.user_properties.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(properties)
}

/// The event of a message; none when it is not one.
pub(super) fn event(properties: PublishProperties, data: &[u8]) -> Option<Event> {
    let content_type = properties.content_type.map(|value| (CONTENT_TYPE.to_owned(), value));
    attributes::event(properties.user_properties.into_iter().chain(content_type), data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::harness::event as plain;

    #[test]
    fn an_event_comes_back_from_its_properties() {
        let sent =
            Event { subject: Some("Euro € 😀".into()), datacontenttype: Some("text/plain".into()), ..plain("1") };
        let properties = properties(&sent).unwrap();
        assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
        assert_eq!(properties.user_properties[0], ("specversion".into(), "1.0".into()));
        assert!(properties.user_properties.contains(&("subject".into(), "Euro € 😀".into())));
        assert_eq!(event(properties, b"data"), Some(sent));
        assert_eq!(event(PublishProperties::default(), b"data"), None);
    }

    #[test]
    fn an_attribute_that_does_not_fit_is_refused() {
        let long = Event { subject: Some("x".repeat(65_536)), ..plain("1") };
        assert!(matches!(properties(&long), Err(StoreError::TooLarge(_))));
    }
}
