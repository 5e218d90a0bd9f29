//! `sluice run`: everything that a running proxy can be told.

use super::events::Events;
use super::names;
use super::sources::Sources;
use clap::{Args, ValueHint};
use sluicegate::config::{AccessLogFormat, Flags, Watch};
use std::path::PathBuf;

/// Runs the proxy
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice run --upstream '*=127.0.0.1:9000'
      passes every request on to one service
  sluice run --manifests manifests --filters filters --listen 0.0.0.0:8080
      runs what lies in two directories, and follows their changes
  sluice run --config sluicegate.yaml --log info,sluicegate::chain=debug
      takes settings from a file; a flag beats the file
  sluice run --upstream '*=127.0.0.1:9000' --listen-tls 127.0.0.1:8443 --tls-certificate cert.pem --tls-key key.pem
      takes requests over TLS as well
  sluice run --upstream '*=127.0.0.1:9000' --trace-endpoint http://127.0.0.1:4318 --trace-ratio 0.1
      sends the spans of a tenth of the requests to a collector
  sluice run --manifests manifests --gateway-port 80=8080 --gateway-port 443=8443
      opens the listeners of Gateway documents on ports that need no privilege
  sluice run --config sluicegate.yaml --take-over /run/sluice/take-over.sock
      takes the place of the instance that was started like this, without a client noticing; SIGUSR2 has an
      instance start its successor itself, such as after its executable was replaced

It ends on SIGTERM or Ctrl-C once requests in flight are done; a second signal ends it at once. On SIGHUP it reads its
directories anew, and opens the file of its access log anew, if it has one.")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Directory of manifests, or a file; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) manifests: Vec<String>,
    /// Address to take requests on, 127.0.0.1:8080 by default; may be given several times
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Address to take requests on over TLS; may be given several times
    #[arg(long, value_name = "ADDR")]
    listen_tls: Vec<String>,
    /// Certificate for --listen-tls, with its chain (PEM); followed when it changes
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    tls_certificate: Option<String>,
    /// Key of the certificate (PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    tls_key: Option<String>,
    /// Where a port of Gateway documents is listened on; may be given several times; others as they are declared
    #[arg(long = "gateway-port", value_name = "PORT=[ADDR:]PORT")]
    gateway_ports: Vec<String>,
    /// Address of the admin endpoint, 127.0.0.1:9901 by default, or unix:PATH
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// Threads that serve requests, one for each processor by default
    #[arg(long, value_name = "N")]
    workers: Option<String>,
    /// Access records, one JSON object a line on standard output, json by default
    #[arg(long, value_name = "FORMAT", value_parser = names::<AccessLogFormat>())]
    access_log: Option<String>,
    /// File to append access records to instead; opened anew on SIGHUP
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    access_log_file: Option<String>,
    /// Log levels by module, info by default
    #[arg(long, value_name = "LEVELS")]
    log: Option<String>,
    /// Name server to ask for the addresses of upstreams [default: the system's]
    #[arg(long, value_name = "ADDR:PORT")]
    dns: Option<String>,
    /// How changes of the directories are noticed, auto by default
    #[arg(long, value_name = "MODE", value_parser = names::<Watch>())]
    watch: Option<String>,
    #[command(flatten)]
    events: Events,
    /// Collector to send traces to (OTLP over HTTP); no traces by default; OTEL_* variables count where no flag does
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    trace_endpoint: Option<String>,
    /// Share of new traces that are kept, from 0 to 1, 1 by default; those of others are kept as they say
    #[arg(long, value_name = "SHARE")]
    trace_ratio: Option<String>,
    /// How long requests in flight may take when the proxy ends, 30s by default
    #[arg(long, value_name = "DURATION")]
    drain_timeout: Option<String>,
    /// Unix socket by which a new process takes the place of the running one, when both are started with it
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    take_over: Option<String>,
    /// File to write the addresses to, as a line of JSON, once requests are taken
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) ready_file: Option<PathBuf>,
}

impl Run {
    /// The flags as the configuration takes them, and the file.
    pub(crate) fn into_flags(self) -> (Option<PathBuf>, Flags) {
        let (file, sources) = self.sources.into_flags(self.manifests);
        let flags = Flags {
            listen: self.listen,
            listen_tls: self.listen_tls,
            tls_certificate: self.tls_certificate,
            tls_key: self.tls_key,
            gateway_ports: self.gateway_ports,
            admin: self.admin,
            workers: self.workers,
            access_log: self.access_log,
            access_log_file: self.access_log_file,
            log: self.log,
            dns: self.dns,
            watch: self.watch,
            events: self.events.into_flags(),
            trace_endpoint: self.trace_endpoint,
            trace_ratio: self.trace_ratio,
            drain: self.drain_timeout,
            take_over: self.take_over,
            ..sources
        };
        (file, flags)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::super::tests::parse;
    use std::path::PathBuf;

    #[test]
    fn flags_of_run_reach_the_configuration() {
        let line = "sluice run --config c.yaml --manifests a --manifests b --filters f --stock-filters s --listen l \
                    --admin unix:p --upstream u=1 --workers 2 --access-log off --log debug --watch poll --dns 127.0.0.1:5353 \
                    --drain-timeout 1s --namespace n --cluster-domain d --listen-tls t --tls-certificate tc --tls-key tk \
                    --gateway-port 80=81 --take-over o --access-log-file af";
        let Command::Run(run) = parse(line) else { panic!("not run") };
        let (file, flags) = run.into_flags();
        assert_eq!(file, Some(PathBuf::from("c.yaml")));
        assert_eq!(flags.manifests, ["a", "b"]);
        assert_eq!((flags.listen, flags.upstreams), (vec!["l".to_owned()], vec!["u=1".to_owned()]));
        assert_eq!((flags.listen_tls, flags.gateway_ports), (vec!["t".to_owned()], vec!["80=81".to_owned()]));
        let single = [
            (flags.tls_certificate, "tc"),
            (flags.tls_key, "tk"),
            (flags.filters, "f"),
            (flags.stock_filters, "s"),
            (flags.admin, "unix:p"),
            (flags.workers, "2"),
            (flags.access_log, "off"),
            (flags.log, "debug"),
            (flags.watch, "poll"),
            (flags.dns, "127.0.0.1:5353"),
            (flags.drain, "1s"),
            (flags.take_over, "o"),
            (flags.access_log_file, "af"),
            (flags.namespace, "n"),
            (flags.cluster_domain, "d"),
        ];
        for (value, expected) in single {
            assert_eq!(value.as_deref(), Some(expected));
        }
    }
}
