//! What the admin endpoint answers.

use super::event_tools::{self, Unpublished};
use super::rollout::FilterAction;
use super::view::{AdminView, ExplainRequest};
use super::{dead_letters, guard, reload};
use crate::event::PublishError;
use crate::telemetry::log::LogLevels;
use crate::telemetry::{Metrics, metrics};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The largest request to be explained, or event to be published, in bytes.
const BODY_SIZE: usize = 1 << 20;
/// For such a request to arrive.
const BODY_READ: Duration = Duration::from_secs(5);
/// For an explanation: every filter's deadline is milliseconds.
const EXPLAIN: Duration = Duration::from_secs(10);

/// The longest wait for a request to end.
const TAP: Duration = Duration::from_secs(1);
/// Between two looks in it.
const TAP_LOOK: Duration = Duration::from_millis(50);

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Path, methods, and what is there.
const ENDPOINTS: [(&str, &str, &str); 24] = [
    ("/", "GET", "this list"),
    ("/livez", "GET", "200 while the process answers"),
    ("/readyz", "GET", "200 while requests should be sent here; ?verbose says why"),
    ("/metrics", "GET", "counters as OpenMetrics text"),
    ("/filters", "GET", "filters, with why newer versions were refused"),
    ("/filters/traps", "GET", "how filters have failed, and where; ?filter=NAME for one"),
    ("/filters/history", "GET", "what became of versions of filters; ?filter=NAME for one"),
    ("/filters/enable", "POST", "?filter=NAME ends its quarantine"),
    ("/filters/promote", "POST", "?filter=NAME puts the version that is tried in full force"),
    ("/filters/rollback", "POST", "?filter=NAME takes the latest version back"),
    ("/filters/pin", "POST", "?filter=NAME keeps its component whatever the file says"),
    ("/filters/unpin", "POST", "?filter=NAME lets its file count again"),
    ("/reload", "POST", "reads the directories anew, and says what came of it"),
    ("/config", "GET", "manifests, services and channels in force"),
    ("/endpoints", "GET", "endpoints of services, with why some are out"),
    ("/overload", "GET", "limits of overload, how near they are, and what was refused"),
    ("/events", "GET", "channels, and how far their subscriptions are"),
    ("/events/publish", "POST", "publishes the event in the body (CloudEvents JSON) to ?channel=NAMESPACE/NAME"),
    (
        "/events/read",
        "GET",
        "events of ?channel= as they come, or ?from=POSITION or ?since=TIME on; &filter= is CloudEvents SQL",
    ),
    (
        "/events/replay",
        "POST",
        "publishes again what ?channel= has &from=, &to= (positions), &since=, &until= (times), &filter=, to &subscription= or all",
    ),
    (
        "/dead-letters",
        "GET, POST, DELETE",
        "events that were given up; POST puts back and DELETE drops those of ?channel=, number=, subscription=, reason=, all",
    ),
    ("/tap", "GET", "requests as they end; ?after=N goes on where an answer said `next`"),
    ("/explain", "POST", "what would become of a request: {\"method\", \"url\", \"headers\", \"body\"}"),
    ("/logging", "POST", "?level=info,sluicegate::chain=debug changes log levels"),
];

/// What the routes need.
pub(super) struct Routes {
    pub(super) view: Arc<dyn AdminView>,
    pub(super) metrics: Metrics,
    pub(super) levels: LogLevels,
    pub(super) allow_remote: bool,
}

pub(super) type Answer = Response<Full<Bytes>>;

impl Routes {
    /// Answers a request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
        if let Some(refusal) = guard::refusal(request.method(), request.headers(), self.allow_remote) {
            return respond(StatusCode::FORBIDDEN, TEXT, refusal);
        }
        let path = request.uri().path();
        let Some((_, methods, _)) = ENDPOINTS.iter().find(|(known, _, _)| *known == path) else {
            return respond(StatusCode::NOT_FOUND, TEXT, format!("nothing is at {path}; there is:\n{}", list()));
        };
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        if !methods.split(", ").any(|known| method == known) {
            let text = format!("{path} takes {methods}, not {}\n", request.method());
            let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
            return response;
        }
        match path {
            "/livez" => respond(StatusCode::OK, TEXT, "ok\n"),
            "/readyz" => self.ready(request.uri().query()),
            "/metrics" => self.metrics(),
            "/filters" => json(StatusCode::OK, &self.view.filters()),
            "/filters/traps" => {
                let filter = parameter(request.uri().query(), "filter");
                json(StatusCode::OK, &self.view.traps(filter.as_deref()))
            }
            "/filters/history" => {
                let filter = parameter(request.uri().query(), "filter");
                json(StatusCode::OK, &self.view.history(filter.as_deref()))
            }
            "/reload" => reload::answer(&self.view).await,
            "/config" => json(StatusCode::OK, &self.view.config()),
            "/endpoints" => json(StatusCode::OK, &self.view.endpoints()),
            "/overload" => json(StatusCode::OK, &self.view.overload()),
            "/events" => json(StatusCode::OK, &self.view.events()),
            "/events/publish" => self.publish(request).await,
            "/events/read" => outcome(event_tools::read(&self.view.channels(), request.uri().query()).await),
            "/events/replay" => outcome(event_tools::replay(&self.view.channels(), request.uri().query()).await),
            "/dead-letters" => self.dead_letters(method, request.uri().query()).await,
            "/tap" => self.tap(request.uri().query()).await,
            "/explain" => self.explain(request.into_body()).await,
            "/logging" => self.set_levels(request.uri().query()),
            path => match FilterAction::ALL.iter().find(|(_, name)| path.strip_prefix("/filters/") == Some(name)) {
                Some((action, _)) => self.act(*action, request.uri().query()).await,
                None => respond(StatusCode::OK, TEXT, list()),
            },
        }
    }

    async fn act(&self, action: FilterAction, query: Option<&str>) -> Answer {
        let Some(filter) = parameter(query, "filter") else {
            return respond(StatusCode::BAD_REQUEST, TEXT, "add ?filter=NAME\n");
        };
        let view = Arc::clone(&self.view);
        let task = tokio::task::spawn_blocking(move || view.act(action, &filter));
        match task.await {
            Ok(Ok(acted)) => json(StatusCode::OK, &acted),
            Ok(Err(reason)) => respond(StatusCode::CONFLICT, TEXT, format!("{reason}\n")),
            Err(_) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "that failed; see the log\n"),
        }
    }

    fn ready(&self, query: Option<&str>) -> Answer {
        let readiness = self.view.readiness();
        let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let verdict = if readiness.is_ready() { "ready" } else { "not ready" };
        let is_verbose = query.is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
        if !is_verbose {
            return respond(status, TEXT, format!("{verdict}\n"));
        }
        let mark = |good: bool| if good { "[+]" } else { "[-]" };
        let text = format!(
            "{} configuration in force\n{} not draining\n{verdict}\n",
            mark(readiness.snapshot),
            mark(!readiness.draining),
        );
        respond(status, TEXT, text)
    }

    fn metrics(&self) -> Answer {
        match self.metrics.encode() {
            Ok(text) => respond(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        }
    }

    async fn explain(&self, body: Incoming) -> Answer {
        let body = match collect(body).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        let request: ExplainRequest = match serde_json::from_slice(&body) {
            Ok(request) => request,
            Err(error) => return respond(StatusCode::BAD_REQUEST, TEXT, format!("not a request: {error}\n")),
        };
        let view = Arc::clone(&self.view);
        // Off this thread, so that the endpoint stays alive even if a filter takes its time or the code panics.
        let task = tokio::task::spawn_blocking(move || view.explain(request));
        match tokio::time::timeout(EXPLAIN, task).await {
            Ok(Ok(Ok(answer))) => json(StatusCode::OK, &answer),
            Ok(Ok(Err(reason))) => respond(StatusCode::BAD_REQUEST, TEXT, format!("{reason}\n")),
            Ok(Err(_)) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the explanation failed; see the log\n"),
            Err(_) => respond(StatusCode::GATEWAY_TIMEOUT, TEXT, "the explanation took too long\n"),
        }
    }

    async fn publish(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let body = match collect(body).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        match event_tools::publish(&self.view.channels(), head.uri.query(), &body).await {
            Ok(published) => json(StatusCode::OK, &published),
            Err(Unpublished::Question(reason)) => respond(StatusCode::BAD_REQUEST, TEXT, format!("{reason}\n")),
            Err(Unpublished::Channel(error)) => {
                let status = match &error {
                    PublishError::UnknownChannel { .. } => StatusCode::NOT_FOUND,
                    PublishError::Invalid { .. } => StatusCode::BAD_REQUEST,
                    PublishError::NoSpace { .. } => StatusCode::INSUFFICIENT_STORAGE,
                    PublishError::Full { .. } | PublishError::Unavailable { .. } | PublishError::Draining { .. } => {
                        StatusCode::SERVICE_UNAVAILABLE
                    }
                };
                respond(status, TEXT, format!("{error}\n"))
            }
        }
    }

    async fn dead_letters(&self, method: &Method, query: Option<&str>) -> Answer {
        let channels = self.view.channels();
        match *method {
            Method::POST => outcome(dead_letters::replay(&channels, query).await),
            Method::DELETE => outcome(dead_letters::drop(&channels, query)),
            _ => outcome(dead_letters::list(&channels, query)),
        }
    }

    /// Waits a moment when there is nothing to show yet.
    async fn tap(&self, query: Option<&str>) -> Answer {
        let after = query.and_then(|query| query.split('&').find_map(|part| part.strip_prefix("after=")));
        let Ok(after) = after.map(str::parse).transpose() else {
            return respond(StatusCode::BAD_REQUEST, TEXT, "`after` is not a number\n");
        };
        let end = Instant::now() + TAP;
        loop {
            let look = self.view.tap(after);
            if after.is_none() || !look.records.is_empty() || look.missed > 0 || Instant::now() >= end {
                return respond(StatusCode::OK, JSON, look.to_json());
            }
            tokio::time::sleep(TAP_LOOK).await;
        }
    }

    fn set_levels(&self, query: Option<&str>) -> Answer {
        let level = query.and_then(|query| query.split('&').find_map(|part| part.strip_prefix("level=")));
        let Some(level) = level else {
            let text = format!("now: {}\nadd ?level=info,sluicegate::chain=debug\n", self.levels.current());
            return respond(StatusCode::BAD_REQUEST, TEXT, text);
        };
        let level = percent_encoding::percent_decode_str(level).decode_utf8_lossy();
        match self.levels.set(&level) {
            Ok(()) => {
                tracing::info!(%level, "log levels changed");
                respond(StatusCode::OK, TEXT, format!("{}\n", self.levels.current()))
            }
            Err(error) => respond(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        }
    }
}

/// The body of a request, or what to answer where there is none to be had.
async fn collect(body: Incoming) -> Result<Bytes, Answer> {
    match tokio::time::timeout(BODY_READ, Limited::new(body, BODY_SIZE).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(respond(StatusCode::PAYLOAD_TOO_LARGE, TEXT, format!("more than {BODY_SIZE} bytes\n")))
        }
        Ok(Err(error)) => Err(respond(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n"))),
        Err(_) => Err(respond(StatusCode::REQUEST_TIMEOUT, TEXT, "the request did not arrive in time\n")),
    }
}

/// The value of a query's parameter.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).next()?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn list() -> String {
    let lines = ENDPOINTS.iter().map(|(path, methods, text)| format!("{path:<17} {methods:<17} {text}"));
    lines.fold(String::new(), |list, line| list + &line + "\n")
}

/// What was asked for, or what is wrong with the question.
fn outcome(answer: Result<impl Serialize, String>) -> Answer {
    match answer {
        Ok(answer) => json(StatusCode::OK, &answer),
        Err(reason) => respond(StatusCode::BAD_REQUEST, TEXT, format!("{reason}\n")),
    }
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec_pretty(value) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            respond(status, JSON, bytes)
        }
        Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}

pub(super) fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
