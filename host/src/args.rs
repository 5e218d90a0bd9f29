//! The command line. What a command does stands in [`crate::command`].

pub(crate) mod dead_letter;
pub(crate) mod event;
mod events;
mod filter;
mod reload;
mod test;

pub(crate) use filter::{Filter, FilterHistory, FilterInspect, FilterList, FilterNamed, FilterTraps};
pub(crate) use reload::Reload;
pub(crate) use test::Test;

use dead_letter::DeadLetter;
use event::EventCommand;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use events::Events;
use sluicegate::config::{AccessLogFormat, Flags, Watch};
use std::path::PathBuf;

/// Shown by `sluice --help`.
const EXIT_CODES: &str = "\
Exit codes:
  0  fine
  1  findings: a manifest, filter or request is refused, or the proxy ended with an error
  2  usage: the command line or the configuration file is wrong
  3  no running instance was reached";

/// An HTTP proxy whose policies are sandboxed WebAssembly filters.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<Run>),
    #[cfg(feature = "demo")]
    Demo(Demo),
    Check(Check),
    Explain(Explain),
    Test(Test),
    /// Shows filters, how they fail, and brings their versions into force or takes them back
    #[command(subcommand)]
    Filter(Filter),
    /// Lists what a running instance has
    #[command(subcommand)]
    Get(Get),
    #[command(subcommand)]
    Event(EventCommand),
    #[command(subcommand)]
    DeadLetter(DeadLetter),
    Reload(Reload),
    Tap(Tap),
    ExplainCode(ExplainCode),
    Completion(Completion),
}

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

/// What a proxy is made of.
#[derive(Debug, Clone, Args)]
pub(crate) struct Sources {
    /// Configuration file (YAML); flags beat it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Directory of filters (components)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    filters: Option<String>,
    /// Directory of the filters that come with the proxy, `filters` beside the executable by default
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    stock_filters: Option<String>,
    /// Public key (PEM) that filters may be signed by, as NAME.wasm.sig; may be given several times
    #[arg(long = "filter-key", value_name = "FILE", value_hint = ValueHint::FilePath)]
    filter_keys: Vec<String>,
    /// Refuses filters that no such key has signed, but for those that come with the proxy
    #[arg(long)]
    require_signature: bool,
    /// A service's endpoint; may be given several times; the name `*` takes every name that no service has
    #[arg(long = "upstream", value_name = "NAME[:PORT]=ADDR")]
    upstreams: Vec<String>,
    /// Namespace of names that give none, default by default
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// What full service names end in, cluster.local by default
    #[arg(long, value_name = "DOMAIN")]
    cluster_domain: Option<String>,
}

impl Sources {
    /// The flags as the configuration takes them, and the file.
    pub(crate) fn into_flags(self, manifests: Vec<String>) -> (Option<PathBuf>, Flags) {
        // Without a configuration file nobody has said where the proxy will listen itself, so that no Gateway's port is
        // taken. Only `run` listens, and says where.
        let nowhere = self.config.is_none().then(|| "127.0.0.1:0".to_owned());
        let flags = Flags {
            manifests,
            listen: nowhere.into_iter().collect(),
            filters: self.filters,
            stock_filters: self.stock_filters,
            filter_keys: self.filter_keys,
            require_signature: self.require_signature,
            upstreams: self.upstreams,
            namespace: self.namespace,
            cluster_domain: self.cluster_domain,
            ..Flags::default()
        };
        (self.config, flags)
    }

    /// Whether any says what to explain with, so that no running instance is asked.
    fn is_given(&self) -> bool {
        self.config.is_some() || self.filters.is_some() || self.stock_filters.is_some() || !self.upstreams.is_empty()
    }
}

/// Runs a shop of three services behind the proxy, and says what to try
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice demo
      opens the shop at 127.0.0.1:8080, and prints requests to send from another terminal
  sluice demo --listen 127.0.0.1:8081 --admin 127.0.0.1:9902
      takes other ports when those are taken; port 0 takes a free one
  sluice demo --keep
      leaves the manifests behind, for `sluice run --manifests`

The manifests are in a fresh directory and may be edited while it runs. It ends on SIGTERM or Ctrl-C.")]
pub(crate) struct Demo {
    /// Address to take requests on, 127.0.0.1:8080 by default
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Address of the admin endpoint, 127.0.0.1:9901 by default
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<String>,
    /// Keeps the directory of manifests when it ends
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Checks manifests and filters without running them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice check manifests
      reads every manifest and says what is wrong, with file, line and column
  sluice check manifests --filters filters -o json
      checks filters too, and prints findings for machines

Exit codes: 0 no error (there may be warnings), 1 errors, 2 usage.")]
pub(crate) struct Check {
    /// Directories of manifests, or files
    #[arg(value_name = "DIR", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) manifests: Vec<String>,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// How findings are printed
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
}

/// Shows what would become of a request, and why
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice explain http://shop/orders
      asks the instance at 127.0.0.1:9901
  sluice explain --manifests manifests -X POST http://shop/orders -H 'content-type: application/json' -d '{}'
      asks nobody: loads the manifests and decides as a running proxy would
  sluice explain --manifests manifests --listener-port 8443 --sni shop.example https://shop.example/orders
      comes in by the listener that a Gateway document declares for port 8443, with this name in its TLS handshake

With Gateway documents, a request comes in by the port of its URL where they declare it, otherwise by their lowest port
that serves its scheme.

Nothing is sent anywhere. Exit codes: 0 explained, 1 refused, 2 usage, 3 no instance reached.")]
pub(crate) struct Explain {
    /// Method
    #[arg(short = 'X', long, default_value = "GET")]
    pub(crate) method: String,
    /// URL, with scheme and host
    pub(crate) url: String,
    /// Header; may be given several times; `host` takes the place of the URL's host
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,
    /// Body
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) data: Option<String>,
    /// Port of the listener by which it comes in, as a Gateway document declares it
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) listener_port: Option<u16>,
    /// Server name in its TLS handshake, the URL's host by default; makes it https
    #[arg(long, value_name = "NAME")]
    pub(crate) sni: Option<String>,
    /// It comes in by the proxy's own listener, whatever Gateway documents declare
    #[arg(long)]
    pub(crate) mesh: bool,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Directory of manifests, or a file; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) manifests: Vec<String>,
    /// Running instance to ask, 127.0.0.1:9901 unless manifests, filters or upstreams are given
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["manifests", "filters", "stock_filters", "upstreams", "config"])]
    pub(crate) admin: Option<String>,
    /// How it is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
}

impl Explain {
    /// Whether a running instance is to be asked.
    pub(crate) fn asks_instance(&self) -> bool {
        self.admin.is_some() || (self.manifests.is_empty() && !self.sources.is_given())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Get {
    Endpoints(GetEndpoints),
    Overload(GetOverload),
}

/// Shows the endpoints of services, with why some are out
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice get endpoints
  sluice get endpoints shop
      shows those of one service, by its full name or the beginning of it
  sluice get endpoints -o json

Exit codes: 0 all take requests, 1 some do not, or there is no such service, 2 usage, 3 no instance reached.")]
pub(crate) struct GetEndpoints {
    /// Service, such as shop or shop.default.svc.cluster.local
    #[arg(value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Shows limits of overload, how near they are, and what was refused
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice get overload
  sluice get overload -o json

Limits are set by a document of kind Overload (sluicegate.dev/v1alpha1); host/README.md has its fields. Exit codes:
0 nothing is refused for memory at present, 1 something is, 2 usage, 3 no instance reached.")]
pub(crate) struct GetOverload {
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Shows requests of a running instance as they end
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice tap
      shows every request until Ctrl-C
  sluice tap --status 5xx --path /orders
      shows those that failed, below a path
  sluice tap -n 10 -o json
      shows ten of them as the access log has them

Where there are more than can be looked at, some are left out, and it is said how many. Exit codes: 0 shown, 2 usage, 3 no
instance reached.")]
pub(crate) struct Tap {
    /// How many requests to show; all until it is ended by default
    #[arg(short, long, value_name = "N")]
    pub(crate) number: Option<usize>,
    /// Only those whose path begins with this
    #[arg(long, value_name = "PREFIX")]
    pub(crate) path: Option<String>,
    /// Only those for this host
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// Only those that were answered with this status, or one of its class
    #[arg(long, value_name = "STATUS|Nxx", value_parser = status)]
    pub(crate) status: Option<String>,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Whom to ask and how to print.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// Running instance to ask: ADDR:PORT or unix:PATH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9901")]
    pub(crate) admin: String,
    /// How it is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
}

/// Explains the code of a finding
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sluice explain-code SG0110")]
pub(crate) struct ExplainCode {
    /// Such as SG0110
    pub(crate) code: String,
}

/// Prints a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sluice completion bash > /etc/bash_completion.d/sluice")]
pub(crate) struct Completion {
    /// Shell
    pub(crate) shell: clap_complete::Shell,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For machines
    Json,
}

/// The names of an enumeration's values, kept as text.
fn names<T: ValueEnum>() -> clap::builder::PossibleValuesParser {
    T::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect::<Vec<_>>().into()
}

/// A status such as `404`, or a class of them such as `5xx`.
fn status(text: &str) -> Result<String, String> {
    let digits = text.strip_suffix("xx").map_or(3, |_| 1);
    let number = text.trim_end_matches("xx");
    if number.len() == digits && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("it is neither a status, such as 404, nor a class of them, such as 5xx".to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("no `:` between name and value; write 'NAME: VALUE'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Command {
        Arguments::try_parse_from(line.split(' ')).unwrap().command
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn leaves(command: &clap::Command) -> Vec<&clap::Command> {
            let inner: Vec<_> = command.get_subcommands().flat_map(leaves).collect();
            if inner.is_empty() { vec![command] } else { inner }
        }
        for command in leaves(&Arguments::command()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }

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

    #[test]
    fn explain_asks_an_instance_unless_it_is_given_what_to_load() {
        let asks = |line: &str| match parse(line) {
            Command::Explain(explain) => explain.asks_instance(),
            other => panic!("{other:?}"),
        };
        assert!(asks("sluice explain http://shop/"));
        assert!(asks("sluice explain http://shop/ --admin 127.0.0.1:1"));
        assert!(!asks("sluice explain http://shop/ --manifests m"));
        assert!(!asks("sluice explain http://shop/ --upstream *=127.0.0.1:1"));
        let both = ["sluice", "explain", "http://shop/", "--admin", "127.0.0.1:1", "--manifests", "m"];
        assert!(Arguments::try_parse_from(both).is_err());
    }

    #[test]
    fn headers_are_name_and_value() {
        assert_eq!(header("x-a: b: c"), Ok(("x-a".into(), "b: c".into())));
        assert!(header("x-a").is_err());
    }
}
