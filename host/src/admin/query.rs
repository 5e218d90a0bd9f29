//! What a request to the admin endpoint asks for, behind the `?`.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt::Display;

/// The parameters of a request, decoded; each is taken once.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(query: Option<&str>) -> Self {
        let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decoded(name), decoded(value))
                })
                .collect(),
        )
    }

    /// Takes a parameter.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let index = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(index).1)
    }

    /// Takes every parameter of this name.
    ///
    /// # Errors
    /// When one is no number.
    pub(super) fn numbers(&mut self, name: &str) -> Result<Vec<u64>, String> {
        let mut numbers = Vec::new();
        while let Some(text) = self.take(name) {
            numbers.push(text.parse().map_err(|_| format!("`{name}` is {text:?}, which is no number"))?);
        }
        Ok(numbers)
    }

    /// Says what nobody has taken.
    ///
    /// # Errors
    /// When something is left.
    pub(super) fn end(self) -> Result<(), String> {
        self.0.first().map_or(Ok(()), |(name, _)| Err(format!("there is no parameter `{name}` here")))
    }
}

/// A path with parameters, those without a value left out.
pub(super) fn path<'a, V: Display>(path: &str, parameters: impl IntoIterator<Item = (&'a str, Option<V>)>) -> String {
    let mut written = path.to_owned();
    let mut separator = '?';
    for (name, value) in parameters {
        if let Some(value) = value {
            let value = value.to_string();
            written.push(separator);
            written.push_str(name);
            written.push('=');
            written.extend(utf8_percent_encode(&value, NON_ALPHANUMERIC));
            separator = '&';
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let written = path("/x", [("reason", Some("it & they = 1+1?")), ("left", None), ("number", Some("7"))]);
        let mut query = Query::of(written.split_once('?').map(|(_, query)| query));
        assert_eq!(query.take("reason").as_deref(), Some("it & they = 1+1?"));
        assert_eq!((query.numbers("number"), query.take("left")), (Ok(vec![7]), None));
        assert!(query.end().is_ok());
    }

    #[test]
    fn what_nobody_knows_or_is_no_number_is_named() {
        assert!(Query::of(Some("number=x")).numbers("number").unwrap_err().contains("\"x\""));
        assert!(Query::of(Some("chanel=a")).end().unwrap_err().contains("`chanel`"));
    }
}
