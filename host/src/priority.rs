//! How much a request matters when not all of them can be served.

use http::HeaderMap;

/// The header by which clients and services say so (RFC 9218, section 5).
pub const HEADER: &str = "priority";

/// Those of lower priority are refused first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// May come again later: batches, crawlers, prefetching.
    Low,
    /// What nobody said anything about.
    #[default]
    Normal,
    /// What people wait for and what earns money.
    High,
    /// What has to be served for others to be: probes of health, sign-in. Refused only far beyond all limits.
    Critical,
}

impl Priority {
    /// All of them, the lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// As documents, records and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.name() == name)
    }

    /// How much of a limit its requests may fill, in percent, so that those above it always find room.
    pub const fn share(self) -> usize {
        match self {
            Self::Low => 60,
            Self::Normal => 80,
            Self::High => 100,
            Self::Critical => 125,
        }
    }

    /// What the header says: urgency 0 to 2 is high, 3 and 4 normal (3 is the default), 5 to 7 low. None without a header
    /// that can be read; never critical, which no client decides on.
    pub fn of_header(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(HEADER)?.to_str().ok()?;
        let urgency = value.split(',').rev().find_map(|member| member.trim().strip_prefix("u="));
        match urgency.map_or("3", |urgency| urgency.split(';').next().unwrap_or_default().trim_end()) {
            "0" | "1" | "2" => Some(Self::High),
            "3" | "4" => Some(Self::Normal),
            "5" | "6" | "7" => Some(Self::Low),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn urgency_is_read_as_the_rfc_writes_it() {
        let cases = [
            ("u=0", Some(Priority::High)),
            ("i, u=2", Some(Priority::High)),
            ("i", Some(Priority::Normal)),
            ("u=4;x=1", Some(Priority::Normal)),
            ("u=5, i", Some(Priority::Low)),
            ("u=1, u=7", Some(Priority::Low)),
            ("u=8", None),
            ("u=-1", None),
        ];
        for (value, expected) in cases {
            let headers = [(http::HeaderName::from_static(HEADER), HeaderValue::from_static(value))];
            assert_eq!(Priority::of_header(&headers.into_iter().collect()), expected, "{value}");
        }
        assert_eq!(Priority::of_header(&HeaderMap::new()), None);
    }

    #[test]
    fn what_matters_more_may_fill_more() {
        assert!(Priority::ALL.is_sorted_by(|lower, higher| lower < higher && lower.share() < higher.share()));
        assert!(Priority::ALL.into_iter().all(|priority| Priority::named(priority.name()) == Some(priority)));
    }
}
