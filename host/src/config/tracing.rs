//! Where traces go, and what the environment says of it in OpenTelemetry's own variables.

use super::problem::Mistake;
use super::ratio::Ratio;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use std::time::Duration;

/// Where spans are posted below a collector's address (OTLP, section "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";
/// For one export unless told otherwise, as OTLP exporters have it.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// What the service is called unless told otherwise.
pub const DEFAULT_SERVICE: &str = "sluicegate";

/// Whether and where traces are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracing {
    /// None: there are no traces.
    pub export: Option<TraceExport>,
    /// Variables of the environment that are passed over, each with the reason, as OpenTelemetry's specification
    /// demands instead of an error.
    pub ignored: Vec<String>,
}

/// Where traces are sent, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceExport {
    /// Where spans are posted, in OTLP over HTTP.
    pub endpoint: Uri,
    /// Sent with every export; their values may be secrets, and are marked as such.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// For one export.
    pub timeout: Duration,
    /// The share of traces that begin here and are kept.
    pub ratio: Ratio,
    /// Whether traces that others began are kept when they say so.
    pub follow_parents: bool,
    /// Whether every call of a filter has a span, and not only those that settle a request.
    pub every_filter: bool,
    /// What is said of this process, `service.name` included.
    pub resource: Vec<(String, String)>,
}

/// The address of a collector; one without a path gets OTLP's.
///
/// # Errors
/// When it is none.
pub fn endpoint(text: &str) -> Result<Uri, Mistake> {
    let uri = exact_endpoint(text)?;
    if uri.path() == "/" && uri.query().is_none() { below(&uri, PATH) } else { Ok(uri) }
}

/// The same, whose path is taken as it is.
fn exact_endpoint(text: &str) -> Result<Uri, Mistake> {
    let wrong = |message: String| Mistake::with_help(message, "write a URL, such as http://127.0.0.1:4318");
    let uri: Uri = text.parse().map_err(|_| wrong(format!("`{text}` is not a URL")))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Mistake::with_help("the URL has a password in it", "send it as a header"));
    }
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => Ok(uri),
        _ => Err(wrong(format!("`{text}` begins with neither http:// nor https://"))),
    }
}

fn below(base: &Uri, path: &str) -> Result<Uri, Mistake> {
    let whole = format!("{}{path}", base.path().trim_end_matches('/'));
    let mut parts = base.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(whole).ok();
    Uri::from_parts(parts).map_err(|error| Mistake::new(error.to_string()))
}

/// A header of exports. Its value is in no message.
///
/// # Errors
/// When it is none.
pub fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Mistake> {
    let wrong = |_| Mistake::new(format!("`{name}` is not a header's name"));
    let name = HeaderName::try_from(name).map_err(wrong)?;
    let value = HeaderValue::try_from(value);
    let mut value = value.map_err(|_| Mistake::new(format!("the value of `{name}` has control characters in it")))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// What the environment says; none where it says nothing.
#[derive(Debug, Default)]
pub struct Said {
    pub(super) endpoint: Option<Uri>,
    pub(super) headers: Option<Vec<(HeaderName, HeaderValue)>>,
    pub(super) timeout: Option<Duration>,
    pub(super) ratio: Option<Ratio>,
    pub(super) follow_parents: Option<bool>,
    pub(super) service: Option<String>,
    pub(super) resource: Vec<(String, String)>,
    pub(super) ignored: Vec<String>,
}

/// Reads variables, and notes which of them cannot be used.
struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    ignored: Vec<String>,
}

impl Said {
    /// Reads the variables of OpenTelemetry's specification. One that is empty counts as not set.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut reader = Reader { variable, ignored: Vec::new() };
        let endpoint = reader.endpoint();
        let headers = reader.headers();
        let timeout = reader
            .one(&["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"], milliseconds)
            .filter(|timeout| !timeout.is_zero());
        let (ratio, follow_parents) = reader.sampler();
        let service = reader.text("OTEL_SERVICE_NAME");
        let resource = reader.one(&["OTEL_RESOURCE_ATTRIBUTES"], pairs).unwrap_or_default();
        reader.protocol();
        Self { endpoint, headers, timeout, ratio, follow_parents, service, resource, ignored: reader.ignored }
    }
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|text| !text.trim().is_empty())
    }

    /// The first of the variables that is set.
    fn one<T>(&mut self, names: &[&str], parse: impl Fn(&str) -> Result<T, Mistake>) -> Option<T> {
        let (name, text) = names.iter().find_map(|name| Some((name, self.text(name)?)))?;
        let parsed = parse(text.trim());
        parsed.map_err(|mistake| self.ignored.push(format!("{name} is passed over: {}", mistake.message))).ok()
    }

    fn endpoint(&mut self) -> Option<Uri> {
        let is = |name: &str, value: &str| self.text(name).is_some_and(|text| text.trim().eq_ignore_ascii_case(value));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return None;
        }
        if self.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").is_some() {
            return self.one(&["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], exact_endpoint);
        }
        self.one(&["OTEL_EXPORTER_OTLP_ENDPOINT"], |text| below(&exact_endpoint(text)?, PATH))
    }

    fn headers(&mut self) -> Option<Vec<(HeaderName, HeaderValue)>> {
        self.one(&["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"], |text| {
            pairs(text)?.iter().map(|(name, value)| header(name, value)).collect()
        })
    }

    fn sampler(&mut self) -> (Option<Ratio>, Option<bool>) {
        let argument = self.text("OTEL_TRACES_SAMPLER_ARG");
        let Some((by_ratio, ratio, follow)) = self.one(&["OTEL_TRACES_SAMPLER"], sampler) else {
            return (None, None);
        };
        let given =
            if by_ratio && argument.is_some() { self.one(&["OTEL_TRACES_SAMPLER_ARG"], Ratio::parse) } else { None };
        (Some(given.unwrap_or(ratio)), Some(follow))
    }

    fn protocol(&mut self) {
        self.one(&["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"], |text| match text {
            "http/protobuf" => Ok(()),
            other => Err(Mistake::new(format!("`{other}` is not spoken here, only http/protobuf is"))),
        });
    }
}

/// Whether it takes a ratio, the ratio without one, and whether it follows parents.
fn sampler(name: &str) -> Result<(bool, Ratio, bool), Mistake> {
    match name {
        "always_on" => Ok((false, Ratio::ONE, false)),
        "always_off" => Ok((false, Ratio::ZERO, false)),
        "traceidratio" => Ok((true, Ratio::ONE, false)),
        "parentbased_always_on" => Ok((false, Ratio::ONE, true)),
        "parentbased_always_off" => Ok((false, Ratio::ZERO, true)),
        "parentbased_traceidratio" => Ok((true, Ratio::ONE, true)),
        other => Err(Mistake::new(format!("there is no sampler `{other}`"))),
    }
}

fn milliseconds(text: &str) -> Result<Duration, Mistake> {
    let parsed = text.parse().map(Duration::from_millis);
    parsed.map_err(|_| Mistake::new(format!("`{text}` is not a number of milliseconds")))
}

/// `name=value,name=value` with values in percent-encoding. Values are in no message.
fn pairs(text: &str) -> Result<Vec<(String, String)>, Mistake> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').ok_or_else(|| Mistake::new("it is not `name=value,name=value`"))?;
        let decoded = percent_decode_str(value.trim()).decode_utf8();
        let value = decoded.map_err(|_| Mistake::new(format!("the value of `{}` is not UTF-8", name.trim())))?;
        match name.trim() {
            "" => Err(Mistake::new("a value has no name")),
            name => Ok((name.to_owned(), value.into_owned())),
        }
    };
    text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)]) -> Said {
        Said::read(&|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    fn endpoint_of(variables: &[(&str, &str)]) -> Option<String> {
        said(variables).endpoint.map(|uri| uri.to_string())
    }

    #[test]
    fn an_address_without_a_path_gets_the_one_of_otlp() {
        for (text, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector/", "https://collector/v1/traces"),
            ("http://[::1]:4318/api/otlp/v1/traces", "http://[::1]:4318/api/otlp/v1/traces"),
            ("http://collector/?key=1", "http://collector/?key=1"),
        ] {
            assert_eq!(endpoint(text).unwrap().to_string(), expected);
        }
        for text in ["127.0.0.1:4318", "collector", "grpc://collector", "", "http://", "http://me:secret@collector"] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_environments_endpoint_is_a_base_and_that_of_traces_is_exact() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otlp/");
        assert_eq!(endpoint_of(&[base]).as_deref(), Some("http://collector:4318/otlp/v1/traces"));
        let exact = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318/");
        assert_eq!(endpoint_of(&[base, exact]).as_deref(), Some("http://traces:4318/"));
        assert_eq!(endpoint_of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), None);
        assert_eq!(endpoint_of(&[base, ("OTEL_SDK_DISABLED", "True")]), None);
        assert_eq!(endpoint_of(&[base, ("OTEL_TRACES_EXPORTER", "none")]), None);
    }

    #[test]
    fn samplers_are_those_of_the_specification() {
        let half = Ratio::parse("0.5").unwrap();
        for (name, argument, expected) in [
            ("always_on", "0.5", (Some(Ratio::ONE), Some(false))),
            ("always_off", "", (Some(Ratio::ZERO), Some(false))),
            ("traceidratio", "0.5", (Some(half), Some(false))),
            ("parentbased_always_on", "", (Some(Ratio::ONE), Some(true))),
            ("parentbased_always_off", "", (Some(Ratio::ZERO), Some(true))),
            ("parentbased_traceidratio", "0.5", (Some(half), Some(true))),
            ("parentbased_traceidratio", "", (Some(Ratio::ONE), Some(true))),
            ("parentbased_traceidratio", "many", (Some(Ratio::ONE), Some(true))),
            ("parentbased_jaeger_remote", "", (None, None)),
        ] {
            let said = said(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
            assert_eq!((said.ratio, said.follow_parents), expected, "{name} {argument}");
            assert_eq!(said.ignored.len(), usize::from(argument == "many" || expected.0.is_none()), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_and_passed_over_and_shows_no_value() {
        let said = said(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=se\ncret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=%ff"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ]);
        assert_eq!(said.ignored.len(), 5, "{:#?}", said.ignored);
        assert!(!said.ignored.iter().any(|message| message.contains("se\ncret")));
        assert!(said.endpoint.is_none() && said.headers.is_none() && said.resource.is_empty());
    }

    #[test]
    fn pairs_are_decoded() {
        let said = said(&[
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test, a=b%2Cc ,"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20abc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ]);
        let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(said.resource, [owned("deployment.environment.name", "test"), owned("a", "b,c")]);
        let (name, value) = said.headers.unwrap().remove(0);
        assert_eq!(
            (name.as_str(), value.as_bytes(), value.is_sensitive()),
            ("authorization", &b"Bearer abc"[..], true)
        );
        assert_eq!(said.timeout, Some(Duration::from_millis(2500)));
    }
}
