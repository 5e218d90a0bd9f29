//! How long a composed answer may be kept: as long as the strictest of its parts, and never longer.

use crate::answer::NO_STORE;
use crate::part::Good;

/// What a part lets caches do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing, or nothing that this filter understands.
    NoStore,
    /// Keep it for so long.
    For {
        /// What is left, in seconds.
        seconds: u64,
        /// Only the caches of one user may.
        private: bool,
    },
}

impl Freshness {
    /// What a part says for itself (RFC 9111, section 5.2.2). Without a lifetime of its own it is not to be stored, nor
    /// with a directive that would have to be carried over to the whole answer, such as `no-cache` or `must-revalidate`.
    pub fn of(response: &Good) -> Self {
        let mut lifetime: Option<u64> = None;
        let mut private = false;
        let directives = response.header_values("cache-control").flat_map(|value| value.split(','));
        for directive in directives.map(str::trim).filter(|directive| !directive.is_empty()) {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "max-age" | "s-maxage" => match argument.trim().trim_matches('"').parse::<u64>() {
                    Ok(seconds) => lifetime = Some(lifetime.map_or(seconds, |known| known.min(seconds))),
                    Err(_) => return Self::NoStore,
                },
                "private" => private = true,
                "public" | "immutable" | "no-transform" | "stale-while-revalidate" | "stale-if-error" => {}
                _ => return Self::NoStore,
            }
        }
        let Some(lifetime) = lifetime else { return Self::NoStore };
        match age(response) {
            Some(age) => Self::For { seconds: lifetime.saturating_sub(age), private },
            None => Self::NoStore,
        }
    }

    /// The stricter of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::For { seconds: one, private: this }, Self::For { seconds: two, private: that }) => {
                Self::For { seconds: one.min(two), private: this || that }
            }
            _ => Self::NoStore,
        }
    }

    /// As the value of `cache-control`.
    pub fn header(self) -> String {
        match self {
            Self::NoStore => NO_STORE.to_owned(),
            Self::For { seconds, private: false } => format!("max-age={seconds}"),
            Self::For { seconds, private: true } => format!("private, max-age={seconds}"),
        }
    }
}

/// How long the part has been in a cache on its way here, in seconds; nothing when that is not a number.
fn age(response: &Good) -> Option<u64> {
    match response.header("age") {
        Some(age) => age.trim().parse().ok(),
        None => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::{Body, Line};

    fn of(headers: &[(&str, &str)]) -> String {
        let headers = headers.iter().map(|(name, value)| Line((*name).to_owned(), (*value).to_owned())).collect();
        Freshness::of(&Good { status: 200, headers, body: Body::Unused }).header()
    }

    #[test]
    fn a_part_is_kept_as_long_as_it_says() {
        assert_eq!(of(&[("cache-control", "public, max-age=60")]), "max-age=60");
        assert_eq!(of(&[("cache-control", "Max-Age=60, PRIVATE")]), "private, max-age=60");
        assert_eq!(of(&[("cache-control", "max-age=60, s-maxage=10")]), "max-age=10");
        assert_eq!(of(&[("cache-control", "max-age=60"), ("cache-control", "max-age=30")]), "max-age=30");
    }

    #[test]
    fn time_in_a_cache_counts() {
        assert_eq!(of(&[("cache-control", "max-age=60"), ("age", "45")]), "max-age=15");
        assert_eq!(of(&[("cache-control", "max-age=60"), ("age", "61")]), "max-age=0");
        assert_eq!(of(&[("cache-control", "max-age=60"), ("age", "old")]), "no-store");
    }

    #[test]
    fn what_is_absent_or_not_understood_is_not_stored() {
        assert_eq!(of(&[]), "no-store");
        let unclear = [
            "no-store",
            "no-cache, max-age=60",
            "public",
            "max-age=soon",
            "max-age=-1",
            "private",
            "no-store, max-age=9",
        ];
        for value in
            unclear.into_iter().chain(["max-age=60, must-revalidate", "max-age=60, private=\"a, b\"", "max-age"])
        {
            assert_eq!(of(&[("cache-control", value)]), "no-store", "{value}");
        }
    }

    #[test]
    fn the_stricter_of_two_wins() {
        let public = |seconds| Freshness::For { seconds, private: false };
        let private = |seconds| Freshness::For { seconds, private: true };
        assert_eq!(public(60).and(public(5)), public(5));
        assert_eq!(public(5).and(private(60)), private(5));
        assert_eq!(public(5).and(Freshness::NoStore), Freshness::NoStore);
        assert_eq!(Freshness::NoStore.and(private(5)), Freshness::NoStore);
    }
}
