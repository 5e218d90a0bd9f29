//! Expressions of CloudEvents SQL, as the filters of a Trigger have them, for an event.
//!
//! The expression is what comes before the first line end; lines of `name: value` after it are extensions of the event.
//!
//! - A text is an expression, or its error says where in it reading stopped.
//! - An expression comes to the same value each time, and so it does between parentheses.
//! - What is denied twice passes if, and only if, it passes without.

use crate::envelope;
use sluicegate_bridge::cesql::{Expression, Of, Value, evaluate, parse};
use sluicegate_sdk::{Attribute, Event};

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (text, lines) = bytes.split_at(end);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let event = event(&envelope::split(lines.get(1..).unwrap_or_default()).0);
    let expression = match parse(text) {
        Ok(expression) => expression,
        Err(error) => {
            let columns = 1..=text.chars().count() + 1;
            assert!(columns.contains(&error.column) && !error.reason.is_empty(), "{error}: {text:?}");
            return;
        }
    };
    let evaluation = evaluate(&expression, &Of(&event));
    assert_eq!(evaluate(&expression, &Of(&event)), evaluation, "{text}");
    let _ = expression.calls_unknown();
    let passes = |expression: &Expression| evaluate(expression, &Of(&event)).passes();
    if let Ok(enclosed) = parse(&format!("({text})")) {
        assert_eq!(evaluate(&enclosed, &Of(&event)), evaluation, "{text}");
    }
    if let Ok(twice) = parse(&format!("NOT (NOT ({text}))"))
        && matches!(evaluation.value, Value::Boolean(_))
    {
        assert_eq!(passes(&twice), passes(&expression), "{text}");
    }
}

fn event(lines: &[&[u8]]) -> Event {
    let mut event = Event::new("1", "/shop", "order.placed");
    event.subject = Some("teapot".to_owned());
    for (name, value) in lines.iter().filter_map(|line| envelope::field(line)) {
        let value = String::from_utf8_lossy(value).into_owned();
        event.extensions.push(Attribute { name: name.to_owned(), value });
    }
    event
}
