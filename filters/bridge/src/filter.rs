//! What an event has to be like to be delivered: a Trigger's filters, compiled.

use crate::attribute;
use crate::cesql::{Expression, Of, evaluate};
use sluicegate_sdk::Event;

/// Filters that all have to pass; without any, everything does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filters(pub(crate) Vec<Filter>);

/// One condition. An attribute that is not set is neither equal to anything nor begins or ends with anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// The attribute is set.
    Present(String),
    /// The attribute is this, case included.
    Exact(String, String),
    /// The attribute begins with this.
    Prefix(String, String),
    /// The attribute ends with this.
    Suffix(String, String),
    /// Every one passes.
    All(Vec<Self>),
    /// At least one passes.
    Any(Vec<Self>),
    /// It does not pass.
    Not(Box<Self>),
    /// The expression gives true, and no error.
    Sql(Expression),
}

impl Filters {
    /// Whether an event is delivered.
    pub(crate) fn pass(&self, event: &Event) -> bool {
        self.0.iter().all(|filter| filter.passes(event))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Filter {
    /// Whether an event passes.
    pub(crate) fn passes(&self, event: &Event) -> bool {
        let get = |name: &str| attribute::get(event, name);
        match self {
            Self::Present(name) => get(name).is_some(),
            Self::Exact(name, value) => get(name) == Some(value),
            Self::Prefix(name, value) => get(name).is_some_and(|found| found.starts_with(value)),
            Self::Suffix(name, value) => get(name).is_some_and(|found| found.ends_with(value)),
            Self::All(filters) => filters.iter().all(|filter| filter.passes(event)),
            Self::Any(filters) => filters.iter().any(|filter| filter.passes(event)),
            Self::Not(filter) => !filter.passes(event),
            Self::Sql(expression) => evaluate(expression, &Of(event)).passes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cesql::parse;

    fn event() -> Event {
        let mut event = Event::new("1", "/shop", "order.placed");
        attribute::set(&mut event, "region", "eu".into()).unwrap();
        event
    }

    fn exact(name: &str, value: &str) -> Filter {
        Filter::Exact(name.into(), value.into())
    }

    #[test]
    fn each_dialect_holds_and_fails() {
        let no = || exact("region", "us");
        let yes = || exact("region", "eu");
        let sql = |text: &str| Filter::Sql(parse(text).unwrap());
        for (filter, passes) in [
            (yes(), true),
            (no(), false),
            (exact("region", "EU"), false),
            (exact("missing", ""), false),
            (Filter::Present("region".into()), true),
            (Filter::Present("subject".into()), false),
            (Filter::Prefix("type".into(), "order.".into()), true),
            (Filter::Prefix("type".into(), "placed".into()), false),
            (Filter::Suffix("type".into(), ".placed".into()), true),
            (Filter::Suffix("missing".into(), "x".into()), false),
            (Filter::Not(Box::new(Filter::Suffix("missing".into(), "x".into()))), true),
            (Filter::All(vec![yes(), yes()]), true),
            (Filter::All(vec![yes(), no()]), false),
            (Filter::Any(vec![no(), yes()]), true),
            (Filter::Any(vec![no(), no()]), false),
            (sql("region = 'eu' AND type LIKE 'order.%'"), true),
            (sql("region"), false),
            (sql("missing = 'eu' OR true"), false),
            (Filter::Not(Box::new(sql("missing = 'eu'"))), true),
        ] {
            assert_eq!(filter.passes(&event()), passes, "{filter:?}");
            assert_eq!(Filters(vec![yes(), filter]).pass(&event()), passes);
        }
        assert!(Filters::default().pass(&event()));
    }
}
