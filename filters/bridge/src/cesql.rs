//! CloudEvents SQL expressions over the events of the SDK.

pub use sluicegate_cesql::*;

use crate::attribute;
use sluicegate_sdk::Event;

/// The attributes of an event. Every value is text: the binary mode of HTTP says no more.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a>(pub &'a Event);

impl Attributes for Of<'_> {
    fn attribute(&self, name: &str) -> Option<Value> {
        attribute::get(self.0, name).map(|value| Value::String(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_attributes_are_text() {
        let mut event = Event::new("1", "/shop", "order.placed");
        attribute::set(&mut event, "priority", "5".into()).unwrap();
        for (expression, passes) in [
            ("specversion = '1.0' AND source = '/shop' AND type LIKE 'order.%'", true),
            ("priority > 4", true),
            ("EXISTS subject", false),
            ("EXISTS priority", true),
        ] {
            assert_eq!(evaluate(&parse(expression).unwrap(), &Of(&event)).passes(), passes, "{expression}");
        }
    }
}
