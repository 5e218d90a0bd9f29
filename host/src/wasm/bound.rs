//! Everything that bounds a filter, in one table: what a metric and a message call it, which setting changes it, in which
//! unit, and what it is unless an operator says otherwise.

use crate::config::limits;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a filter can run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Processor time of one call.
    Deadline,
    /// Time of all calls for one request.
    RequestTime,
    /// Linear memories of an instance, all together.
    Memory,
    /// Linear memories of all instances of all filters.
    FilterMemory,
    /// Instances of all filters.
    FilterInstances,
    /// Elements of an instance's tables, all together.
    Table,
    /// Core instances, memories and tables that one component is made of.
    Instances,
    /// The stack of a call.
    Stack,
    /// Bytes that one decision, or one call of the host, may hand over.
    Decision,
    /// Edits of one decision.
    Edits,
    /// Bytes of the names and values of those edits.
    EditBytes,
    /// Headers of an answer, a call or a delivery.
    Headers,
    /// Calls of one plan.
    Calls,
    /// Copies of one request.
    Mirrors,
    /// Pieces that one answer is put together of.
    Parts,
    /// Events of one decision.
    Publications,
    /// Calls of plans that are under way, of all requests.
    CallsInFlight,
    /// Events that are being published, of all requests.
    PublicationsInFlight,
    /// Exchanges that are open, of all requests.
    Replies,
    /// Bytes of the key of an exchange.
    ReplyKey,
    /// Attributes that a client's events have to have.
    StreamAttributes,
    /// Bytes of those attributes.
    StreamAttributeBytes,
    /// Bytes that one call may log.
    LogCall,
    /// Lines that all instances may log in a second.
    LogLines,
    /// Bytes that all instances may log in a second.
    LogBytes,
    /// Series of the filter's own metrics.
    MetricSeries,
    /// Names, labels and bounds of those.
    MetricNames,
    /// Bytes of its store.
    StoreBytes,
    /// Entries of its store.
    StoreKeys,
    /// Random bytes in one call of the host.
    Random,
    /// A service that requests may be sent to.
    Forward,
    /// A service that plans may call.
    Call,
    /// A channel that events may be published to.
    Publish,
    /// A function of the host, such as one of WASI's.
    Capability,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What it is about.
    pub bound: Bound,
    /// Its name in metrics and messages.
    pub name: &'static str,
    /// The setting of a `Filter` document below `spec`; none for what is the same for every filter.
    pub setting: Option<&'static str>,
    /// What it is unless set, as a document would have it.
    pub default: &'static str,
}

const fn row(bound: Bound, name: &'static str, setting: Option<&'static str>, default: &'static str) -> Row {
    Row { bound, name, setting, default }
}

/// The table, in the order of [`Bound`].
pub const BOUNDS: [Row; 34] = [
    row(Bound::Deadline, "deadline", Some("deadline"), "10ms"),
    row(Bound::RequestTime, "request-time", Some("limits/requestTime"), "100ms"),
    row(Bound::Memory, "memory", Some("memory"), "64MiB"),
    row(Bound::FilterMemory, "filter-memory", None, "4GiB"),
    row(Bound::FilterInstances, "filter-instances", None, "1000"),
    row(Bound::Table, "table-elements", Some("limits/tableElements"), "20000"),
    row(Bound::Instances, "instances", None, "16 core instances, 4 memories, 8 tables"),
    row(Bound::Stack, "stack", None, "512KiB"),
    row(Bound::Decision, "decision", Some("limits/decision"), "8MiB"),
    row(Bound::Edits, "edits", Some("limits/edits"), "256"),
    row(Bound::EditBytes, "edit-bytes", Some("limits/editBytes"), "64KiB"),
    row(Bound::Headers, "headers", Some("limits/headers"), "256"),
    row(Bound::Calls, "calls", Some("limits/calls"), "64"),
    row(Bound::Mirrors, "mirrors", Some("limits/mirrors"), "8"),
    row(Bound::Parts, "parts", None, "8192"),
    row(Bound::Publications, "publications", Some("limits/publications"), "1024"),
    row(Bound::CallsInFlight, "calls-in-flight", Some("limits/callsInFlight"), "32768"),
    row(Bound::PublicationsInFlight, "publications-in-flight", Some("limits/publicationsInFlight"), "32768"),
    row(Bound::Replies, "replies", Some("limits/replies"), "10000"),
    row(Bound::ReplyKey, "reply-key", None, "1KiB"),
    row(Bound::StreamAttributes, "stream-attributes", None, "32"),
    row(Bound::StreamAttributeBytes, "stream-attribute-bytes", None, "4KiB"),
    row(Bound::LogCall, "log-call", None, "4KiB"),
    row(Bound::LogLines, "log-lines", Some("limits/logLines"), "100 a second"),
    row(Bound::LogBytes, "log-bytes", Some("limits/logBytes"), "64KiB a second"),
    row(Bound::MetricSeries, "metric-series", Some("limits/metricSeries"), "256"),
    row(Bound::MetricNames, "metric-names", None, "64 bytes, 8 labels of 128"),
    row(Bound::StoreBytes, "store-bytes", Some("limits/storeBytes"), "1MiB"),
    row(Bound::StoreKeys, "store-keys", Some("limits/storeKeys"), "8192"),
    row(Bound::Random, "random", None, "4KiB"),
    row(Bound::Forward, "forward", Some("grants/forward"), "none"),
    row(Bound::Call, "call", Some("grants/call"), "none"),
    row(Bound::Publish, "publish", Some("grants/publish"), "none"),
    row(Bound::Capability, "capability", Some("capabilities"), "log"),
];

impl Bound {
    /// Whether it is counted where memory and tables are asked for.
    pub(super) fn is_of_room(self) -> bool {
        matches!(self, Self::Memory | Self::FilterMemory | Self::Table)
    }

    /// Whether it is about what is under way for all requests together.
    pub fn is_in_flight(self) -> bool {
        matches!(self, Self::CallsInFlight | Self::PublicationsInFlight | Self::Replies)
    }

    /// Its name in metrics and messages.
    pub fn name(self) -> &'static str {
        BOUNDS.get(self as usize).map_or("", |row| row.name)
    }

    /// The setting that changes it, as a path below `spec` of a `Filter` document.
    pub fn setting(self) -> Option<&'static str> {
        BOUNDS.get(self as usize).and_then(|row| row.setting)
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What an operator can set beside time and memory. `Default` is what the table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// For all calls of one request together.
    pub request_time: Duration,
    /// Elements of all tables of an instance.
    pub table_elements: usize,
    /// Bytes of one decision as the host holds it.
    pub decision: usize,
    /// Edits of one decision.
    pub edits: usize,
    /// Bytes of those edits.
    pub edit_bytes: usize,
    /// Headers of one answer, call or delivery.
    pub headers: usize,
    /// Calls of one plan.
    pub calls: usize,
    /// Copies of one request.
    pub mirrors: usize,
    /// Events of one decision.
    pub publications: usize,
    /// Calls of plans that are under way.
    pub calls_in_flight: usize,
    /// Events that are being published.
    pub publications_in_flight: usize,
    /// Exchanges that are open.
    pub replies: usize,
    /// Lines in a second.
    pub log_lines: usize,
    /// Bytes in a second.
    pub log_bytes: usize,
    /// Series of its own metrics.
    pub metric_series: usize,
    /// Bytes of its store.
    pub store_bytes: usize,
    /// Entries of its store.
    pub store_keys: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            request_time: limits::FILTER_REQUEST_TIME,
            table_elements: limits::FILTER_TABLE,
            decision: limits::FILTER_DECISION,
            edits: limits::FILTER_EDITS,
            edit_bytes: limits::FILTER_EDIT_BYTES,
            headers: limits::FILTER_HEADERS,
            calls: limits::PLAN_CALLS,
            mirrors: limits::MIRRORS,
            publications: limits::FILTER_PUBLICATIONS,
            calls_in_flight: limits::FILTER_CALLS_IN_FLIGHT,
            publications_in_flight: limits::FILTER_PUBLICATIONS_IN_FLIGHT,
            replies: limits::FILTER_REPLIES,
            log_lines: limits::FILTER_LOG_LINES,
            log_bytes: limits::FILTER_LOG_BYTES,
            metric_series: limits::FILTER_METRIC_SERIES,
            store_bytes: limits::FILTER_STORE_BYTES,
            store_keys: limits::FILTER_STORE_KEYS,
        }
    }
}

/// How often a filter's version ran against each bound.
#[derive(Debug)]
pub struct Refusals([AtomicU64; BOUNDS.len()]);

impl Default for Refusals {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Refusals {
    /// Counts one.
    pub fn count(&self, bound: Bound) {
        if let Some(count) = self.0.get(bound as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often it ran against this one.
    pub fn of(&self, bound: Bound) -> u64 {
        self.0.get(bound as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::quantity;

    #[test]
    fn rows_stand_at_the_index_of_their_bound_and_no_name_is_used_twice() {
        for (index, row) in BOUNDS.iter().enumerate() {
            assert_eq!(row.bound as usize, index, "{}", row.name);
            assert_eq!(BOUNDS.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
        }
    }

    #[test]
    fn the_table_says_what_the_defaults_are() {
        let (bounds, default) = (Bounds::default(), |bound: Bound| BOUNDS[bound as usize].default);
        let size = |bound| quantity::size(default(bound).trim_end_matches(" a second")).unwrap();
        let sizes = [
            (Bound::Table, bounds.table_elements),
            (Bound::Decision, bounds.decision),
            (Bound::Edits, bounds.edits),
            (Bound::EditBytes, bounds.edit_bytes),
            (Bound::Headers, bounds.headers),
            (Bound::Calls, bounds.calls),
            (Bound::Mirrors, bounds.mirrors),
            (Bound::Publications, bounds.publications),
            (Bound::CallsInFlight, bounds.calls_in_flight),
            (Bound::PublicationsInFlight, bounds.publications_in_flight),
            (Bound::Replies, bounds.replies),
            (Bound::LogLines, bounds.log_lines),
            (Bound::LogBytes, bounds.log_bytes),
            (Bound::MetricSeries, bounds.metric_series),
            (Bound::StoreBytes, bounds.store_bytes),
            (Bound::StoreKeys, bounds.store_keys),
            (Bound::Memory, limits::FILTER_MEMORY),
            (Bound::FilterMemory, limits::FILTERS_MEMORY),
            (Bound::FilterInstances, limits::FILTER_INSTANCES as usize),
            (Bound::Stack, limits::FILTER_STACK),
            (Bound::Parts, limits::ANSWER_PARTS),
            (Bound::ReplyKey, limits::REPLY_KEY),
            (Bound::StreamAttributes, limits::LISTENER_ATTRIBUTES),
            (Bound::StreamAttributeBytes, limits::LISTENER_ATTRIBUTE_BYTES),
            (Bound::LogCall, limits::FILTER_LOG),
            (Bound::Random, limits::FILTER_RANDOM),
        ];
        for (bound, value) in sizes {
            assert_eq!(size(bound), value as u64, "{bound}");
        }
        let times = [(Bound::Deadline, limits::FILTER_DEADLINE), (Bound::RequestTime, bounds.request_time)];
        for (bound, value) in times {
            assert_eq!(quantity::duration(default(bound)).unwrap(), value, "{bound}");
        }
    }
}
