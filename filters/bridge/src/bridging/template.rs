//! Texts with values of a request or an event in them, such as `order.{path.2}`.

use serde_json::Value;

/// A text with places for values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Selector),
}

/// A value that a template has a place for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    /// `method`, of a request.
    Method,
    /// `host`, of a request.
    Host,
    /// `path`, of a request.
    Path,
    /// `path.N`: a segment of the path, counted from 1.
    Segment(usize),
    /// `query.NAME`: the first parameter of that name.
    Query(String),
    /// `header.NAME`: the first value of that header.
    Header(String),
    /// `NAME`: an attribute of the event. Of a request only `id`.
    Attribute(String),
    /// `data/POINTER`: what a JSON pointer finds in the data.
    Data(String),
}

/// What the values are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Request,
    Event,
}

/// Has values.
pub(crate) trait Values {
    /// The value, where there is one.
    fn value(&self, selector: &Selector) -> Option<String>;
}

impl Template {
    /// Reads a template; `{{` and `}}` stand for braces. Says what is wrong with one that is none.
    pub(crate) fn parse(text: &str, scope: Scope) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(place) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at(place);
            literal.push_str(before);
            let brace = if after.starts_with('{') { '{' } else { '}' };
            if let Some(escaped) = after.strip_prefix(if brace == '{' { "{{" } else { "}}" }) {
                literal.push(brace);
                rest = escaped;
                continue;
            }
            let inner = after.strip_prefix('{').ok_or("there is a `}` without a `{`; write `}}` for the character")?;
            let (name, following) =
                inner.split_once('}').ok_or("there is a `{` without a `}`; write `{{` for the character")?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Value(Selector::parse(name, scope)?));
            rest = following;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self(parts))
    }

    /// The text; none when a value is not there.
    pub(crate) fn fill(&self, values: &impl Values) -> Option<String> {
        self.fill_with(values, |value| value)
    }

    /// The text with each value changed before it is put in.
    pub(crate) fn fill_with(&self, values: &impl Values, change: impl Fn(String) -> String) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Value(selector) => text.push_str(&change(values.value(selector)?)),
            }
        }
        Some(text)
    }

    /// Whether a value is taken from the data.
    pub(crate) fn reads_data(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Value(Selector::Data(_))))
    }
}

impl Selector {
    fn parse(name: &str, scope: Scope) -> Result<Self, String> {
        let attribute = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if let Some(pointer) = name.strip_prefix("data").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Ok(Self::Data(pointer.to_owned()));
        }
        let of_request = match name.split_once('.') {
            Some(("header", header)) if !header.is_empty() => Some(Self::Header(header.to_ascii_lowercase())),
            Some(("query", parameter)) if !parameter.is_empty() => Some(Self::Query(parameter.to_owned())),
            Some(("path", index)) => index.parse().ok().filter(|index| *index > 0).map(Self::Segment),
            None => match name {
                "method" => Some(Self::Method),
                "host" => Some(Self::Host),
                "path" => Some(Self::Path),
                "id" => Some(Self::Attribute(name.to_owned())),
                _ => None,
            },
            Some(_) => None,
        };
        match scope {
            Scope::Request => of_request.ok_or_else(|| {
                format!(
                    "a request has no `{{{name}}}`; it has {{method}}, {{host}}, {{path}}, {{path.1}}, {{query.NAME}}, \
                     {{header.NAME}}, {{id}} and {{data/POINTER}}"
                )
            }),
            Scope::Event if attribute(name) => Ok(Self::Attribute(name.to_owned())),
            Scope::Event => Err(format!(
                "an event has no `{{{name}}}`; it has its attributes, such as {{type}}, and {{data/POINTER}}"
            )),
        }
    }
}

/// What a JSON pointer finds, as text; objects and arrays stay JSON. None for null, and where there is nothing.
pub(crate) fn found(data: Option<&Value>, pointer: &str) -> Option<String> {
    match data?.pointer(pointer)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
