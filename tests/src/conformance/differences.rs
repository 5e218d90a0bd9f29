//! What is known to differ from the specifications, each with its reason.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Cases that fail, by their name.
#[derive(Debug, Default)]
pub struct Differences(BTreeMap<String, String>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    /// Why these differ.
    reason: String,
    /// `FILE/CASE`.
    cases: Vec<String>,
}

impl Differences {
    /// Reads the file; one that is not there lists nothing.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|error| format!("{}: {error}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let groups: Vec<Group> = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let mut listed = BTreeMap::new();
        for Group { reason, cases } in groups {
            for case in cases {
                if listed.insert(case.clone(), reason.clone()).is_some() {
                    return Err(format!("`{case}` is listed twice"));
                }
            }
        }
        Ok(Self(listed))
    }

    /// Why a case is known to fail.
    pub fn reason(&self, case: &str) -> Option<&str> {
        self.0.get(case).map(String::as_str)
    }

    /// Names of cases that are listed.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_listed_once_with_its_reason() {
        let listed = Differences::parse("- {reason: not built, cases: [a/b, a/c]}").expect("it is a list");
        assert_eq!(listed.reason("a/b"), Some("not built"));
        assert_eq!(listed.reason("a/d"), None);
        assert!(Differences::parse("- {reason: x, cases: [a]}\n- {reason: y, cases: [a]}").is_err());
    }
}
