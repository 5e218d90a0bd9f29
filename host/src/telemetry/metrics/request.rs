//! Requests: how many, how long, how they ended.

use super::super::record::AccessRecord;
use super::Section;
use super::histogram::{Histogram, Level};
use http::Method;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The bounds that OpenTelemetry's HTTP conventions advise.
const BOUNDS: [Duration; 14] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(75),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(750),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_millis(7_500),
    Duration::from_secs(10),
];

/// Series at most. Routes come from filters and statuses from services, so either could make ever new ones; what is
/// beyond is counted under the route `_OTHER` without a status.
const MOST_SERIES: usize = 4096;
/// The route of what is beyond.
const OTHER: &str = "_OTHER";

type Durations = Histogram<{ BOUNDS.len() }>;

/// A series within its route. Small, so that a thread finds it by comparing numbers and two pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Outcome {
    method: &'static str,
    /// 0 when there was no answer.
    status: u16,
    error: Option<&'static str>,
}

type Series = BTreeMap<(Option<Box<str>>, Outcome), Arc<Durations>>;

#[derive(Debug)]
pub(super) struct Requests {
    /// Tells this set of metrics from another one's in a thread's memory.
    identity: u64,
    active: Arc<Level>,
    series: Mutex<Series>,
}

impl Default for Requests {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let identity = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { identity, active: Arc::default(), series: Mutex::default() }
    }
}

/// What one thread has looked up: a request's series is found without a lock.
#[derive(Default)]
struct Known {
    identity: u64,
    unrouted: Vec<(Outcome, Arc<Durations>)>,
    routes: HashMap<Box<str>, Vec<(Outcome, Arc<Durations>)>>,
}

impl Known {
    fn find(&self, route: Option<&str>, outcome: Outcome) -> Option<&Durations> {
        let outcomes = match route {
            None => &self.unrouted,
            Some(route) => self.routes.get(route)?,
        };
        outcomes.iter().find(|(known, _)| *known == outcome).map(|(_, durations)| &**durations)
    }

    fn remember(&mut self, route: Option<&str>, outcome: Outcome, durations: Arc<Durations>) {
        match route {
            None => self.unrouted.push((outcome, durations)),
            Some(route) => self.routes.entry(route.into()).or_default().push((outcome, durations)),
        }
    }
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// A request in flight.
#[derive(Debug)]
pub struct ActiveRequest(Arc<Level>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.change(-1);
    }
}

impl Requests {
    pub(super) fn started(&self) -> ActiveRequest {
        self.active.change(1);
        ActiveRequest(Arc::clone(&self.active))
    }

    pub(super) fn observe(&self, record: &AccessRecord<'_>) {
        let outcome = Outcome {
            method: method(record.method),
            status: record.status.unwrap_or(0),
            error: record.error.map(crate::error::RequestError::kind),
        };
        KNOWN.with_borrow_mut(|known| {
            if known.identity != self.identity {
                *known = Known { identity: self.identity, ..Known::default() };
            }
            if let Some(durations) = known.find(record.route, outcome) {
                return durations.observe(&BOUNDS, record.duration);
            }
            let (durations, is_own) = self.series(record.route, outcome);
            durations.observe(&BOUNDS, record.duration);
            if is_own {
                known.remember(record.route, outcome, durations);
            }
        });
    }

    /// The series, or the one of all that is beyond the bound; and whether it is the first.
    fn series(&self, route: Option<&str>, outcome: Outcome) -> (Arc<Durations>, bool) {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (route.map(Box::from), outcome);
        if let Some(known) = series.get(&key) {
            return (Arc::clone(known), true);
        }
        if series.len() < MOST_SERIES {
            return (Arc::clone(series.entry(key).or_default()), true);
        }
        let beyond = (Some(OTHER.into()), Outcome { status: 0, error: None, ..outcome });
        (Arc::clone(series.entry(beyond).or_default()), false)
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let section = Section::gauge(encoder, "http_server_active_requests", "Requests in flight.")?;
        self.active.total().encode(section.metric)?;
        let help = "From a request's complete head to the last byte of its response.";
        let mut section = Section::histogram(encoder, "http_server_request_duration_seconds", help)?;
        let series: Series = self.series.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((route, outcome), durations) in &series {
            let status = outcome.status.to_string();
            let mut labels = vec![("http_request_method", outcome.method)];
            labels.extend((outcome.status != 0).then_some(("http_response_status_code", &*status)));
            labels.extend(route.as_deref().map(|route| ("http_route", route)));
            labels.extend(outcome.error.map(|error| ("error_type", error)));
            section.series(&labels, &durations.total(&BOUNDS))?;
        }
        Ok(())
    }
}

/// The method as a label: what is not registered in RFC 9110 or RFC 5789 becomes `_OTHER`, as the conventions ask.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::record::tests::record;
    use super::*;

    #[test]
    fn ever_new_routes_end_in_one_series() {
        let requests = Requests::default();
        for number in 0..MOST_SERIES + 50 {
            let route = format!("route-{number}");
            requests.observe(&AccessRecord { route: Some(&route), ..record() });
        }
        let series = requests.series.lock().unwrap();
        assert_eq!(series.len(), MOST_SERIES + 1);
        let other = series.iter().find(|((route, _), _)| route.as_deref() == Some(OTHER)).unwrap();
        assert!(!other.1.total(&BOUNDS).is_empty());
    }

    #[test]
    fn two_sets_of_metrics_do_not_mix_in_one_thread() {
        let (first, second) = (Requests::default(), Requests::default());
        first.observe(&record());
        second.observe(&record());
        first.observe(&record());
        assert_eq!(first.series.lock().unwrap().len(), 1);
        assert_eq!(second.series.lock().unwrap().len(), 1);
    }
}
