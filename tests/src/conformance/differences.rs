//! What is known to differ from the specifications, each with its reason.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Cases that fail, by their name.
#[derive(Debug, Default)]
pub struct Differences(BTreeMap<String, Difference>);

#[derive(Debug)]
struct Difference {
    reason: String,
    varies: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    /// Why these differ.
    reason: String,
    /// `FILE/CASE`.
    cases: Vec<String>,
    /// Whether they may pass too, as it happens.
    #[serde(default)]
    varies: bool,
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
        for Group { reason, cases, varies } in groups {
            for case in cases {
                let difference = Difference { reason: reason.clone(), varies };
                if listed.insert(case.clone(), difference).is_some() {
                    return Err(format!("`{case}` is listed twice"));
                }
            }
        }
        Ok(Self(listed))
    }

    /// Why a case is known to fail.
    pub fn reason(&self, case: &str) -> Option<&str> {
        self.0.get(case).map(|difference| difference.reason.as_str())
    }

    /// Whether a case that is known to fail passes at times, for a reason that is not the proxy's.
    pub fn varies(&self, case: &str) -> bool {
        self.0.get(case).is_some_and(|difference| difference.varies)
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
        assert!(!listed.varies("a/b"));
        assert!(Differences::parse("- {reason: a race, cases: [a/b], varies: true}").expect("a list").varies("a/b"));
        assert!(Differences::parse("- {reason: x, cases: [a]}\n- {reason: y, cases: [a]}").is_err());
    }
}
