//! Where traces go: flags over file over OpenTelemetry's variables.

use super::merge::Merge;
use super::value::yes_or_no;
use crate::config::file;
use crate::config::problem::Origin;
use crate::config::quantity;
use crate::config::ratio::Ratio;
use crate::config::tracing::{self, DEFAULT_SERVICE, DEFAULT_TIMEOUT, Said, TraceExport, Tracing};
use http::{HeaderName, HeaderValue};
use std::collections::BTreeMap;

impl Merge<'_> {
    /// `flags` are `--trace-endpoint` and `--trace-ratio`.
    pub(super) fn tracing(
        &mut self,
        flags: (Option<String>, Option<String>),
        file: file::Tracing,
        said: Said,
    ) -> Tracing {
        let asked_for_ratio = flags.1.is_some();
        let endpoint = self.one(flags.0, "--trace-endpoint", file.endpoint, tracing::endpoint);
        let ratio = self.one(flags.1, "--trace-ratio", file.ratio, Ratio::parse);
        let timeout = self.written(file.timeout, quantity::duration);
        let follow_parents = self.written(file.follow_parents, yes_or_no);
        let every_filter = self.written(file.every_filter, yes_or_no);
        let headers = file.headers.map(|headers| self.headers(headers));
        let service = file.service_name.map(|name| name.value);
        let attributes = file.resource_attributes.unwrap_or_default();
        let mut resource = said.resource;
        resource.retain(|(name, _)| !attributes.contains_key(name));
        resource.extend(attributes.into_iter().map(|(name, value)| (name, value.value)));
        let named = resource.iter().position(|(name, _)| name == "service.name").map(|at| resource.remove(at).1);
        let service = service.or(said.service).or(named).unwrap_or_else(|| DEFAULT_SERVICE.to_owned());
        resource.insert(0, ("service.name".to_owned(), service));
        let Some(endpoint) = endpoint.or(said.endpoint) else {
            if asked_for_ratio && self.problems.0.is_empty() {
                let help = "add `--trace-endpoint http://127.0.0.1:4318`, or where the collector is";
                self.problems.add(Origin::Flag("--trace-ratio"), "traces have nowhere to go", Some(help.into()));
            }
            return Tracing { export: None, ignored: said.ignored };
        };
        let export = TraceExport {
            endpoint,
            headers: headers.or(said.headers).unwrap_or_default(),
            timeout: timeout.or(said.timeout).unwrap_or(DEFAULT_TIMEOUT),
            ratio: ratio.or(said.ratio).unwrap_or(Ratio::ONE),
            follow_parents: follow_parents.or(said.follow_parents).unwrap_or(true),
            every_filter: every_filter.unwrap_or(false),
            resource,
        };
        Tracing { export: Some(export), ignored: said.ignored }
    }

    fn headers(&mut self, headers: BTreeMap<String, file::Text>) -> Vec<(HeaderName, HeaderValue)> {
        let header = |(name, value): (String, file::Text)| {
            let written = self.written_in_file(value);
            self.problems.keep(&written.origin, tracing::header(&name, &written.text))
        };
        headers.into_iter().filter_map(header).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::File;
    use crate::config::problem::Problems;
    use crate::config::{Flags, Settings};
    use std::path::Path;

    fn resolve(flags: Flags, file: &str, variables: &[(&str, &str)]) -> Result<Tracing, Problems> {
        let mut problems = Problems::default();
        let file = File::parse(file, Path::new("sluicegate.yaml"), &mut problems);
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let settings = Settings::resolve(Path::new("sluicegate.yaml"), file, flags, Said::read(&variable), problems);
        settings.map(|settings| settings.tracing)
    }

    fn resource(export: &TraceExport, name: &str) -> Option<String> {
        export.resource.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    const FILE: &str = "
tracing:
  endpoint: http://file:4318
  ratio: 0.25
  headers: { authorization: Bearer abc }
  timeout: 3s
  service-name: of-file
  resource-attributes: { team: shop }
  follow-parents: false
  every-filter: true
";

    #[test]
    fn there_are_no_traces_unless_somebody_says_where_they_go() {
        assert_eq!(resolve(Flags::default(), "", &[]), Ok(Tracing::default()));
        assert_eq!(resolve(Flags::default(), "tracing: { ratio: 0.5 }", &[]), Ok(Tracing::default()));
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_the_environment() {
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://environment:4318"),
            ("OTEL_SERVICE_NAME", "of-environment"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=environment,region=north,service.name=of-attributes"),
            ("OTEL_TRACES_SAMPLER", "always_off"),
        ];
        let export = |flags, file| resolve(flags, file, &environment).unwrap().export.unwrap();
        let of_environment = export(Flags::default(), "");
        assert_eq!(of_environment.endpoint.to_string(), "http://environment:4318/v1/traces");
        assert_eq!((of_environment.ratio, of_environment.follow_parents), (Ratio::ZERO, false));
        assert_eq!(resource(&of_environment, "service.name").as_deref(), Some("of-environment"));
        let of_file = export(Flags::default(), FILE);
        assert_eq!(of_file.endpoint.to_string(), "http://file:4318/v1/traces");
        assert_eq!((of_file.ratio, of_file.every_filter), (Ratio::parse("0.25").unwrap(), true));
        assert_eq!(of_file.headers[0].1, "Bearer abc");
        assert!(!format!("{of_file:?}").contains("abc"), "a secret is shown: {of_file:?}");
        for (name, value) in [("service.name", "of-file"), ("team", "shop"), ("region", "north")] {
            assert_eq!(resource(&of_file, name).as_deref(), Some(value), "{name}");
        }
        let flags = Flags {
            trace_endpoint: Some("http://flag:4318".into()),
            trace_ratio: Some("1".into()),
            ..Flags::default()
        };
        let of_flags = export(flags, FILE);
        assert_eq!((of_flags.endpoint.host(), of_flags.ratio), (Some("flag"), Ratio::ONE));
    }

    #[test]
    fn mistakes_have_their_place_and_secrets_are_not_quoted() {
        let file = "tracing:\n  endpoint: collector\n  ratio: 2\n  headers: { authorization: \"se\\ncret\" }\n";
        let problems = resolve(Flags::default(), file, &[]).unwrap_err().to_string();
        assert!(problems.contains("sluicegate.yaml:2:13") && problems.contains("sluicegate.yaml:3:10"), "{problems}");
        assert!(problems.contains("sluicegate.yaml:4:") && !problems.contains("cret"), "{problems}");
        let flags = Flags { trace_ratio: Some("0.1".into()), ..Flags::default() };
        let problems = resolve(flags, "", &[]).unwrap_err().to_string();
        assert!(problems.contains("--trace-ratio") && problems.contains("--trace-endpoint"), "{problems}");
    }

    #[test]
    fn a_key_in_the_query_of_the_endpoint_is_sent_and_not_shown() {
        let endpoint = Some("http://collector/v1/traces?key=secret".into());
        let export = resolve(Flags { trace_endpoint: endpoint, ..Flags::default() }, "", &[]).unwrap().export.unwrap();
        assert_eq!(export.shown_endpoint(), "http://collector/v1/traces");
        assert_eq!(export.endpoint.query(), Some("key=secret"));
    }
}
