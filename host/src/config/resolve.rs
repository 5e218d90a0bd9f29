//! Flags over file over defaults: what the program uses.
//!
//! A flag replaces the file's value as a whole, lists included.

mod events;
mod listen;
mod tracing;

pub use events::EventFlags;

use super::address::AdminAddress;
use super::events::StoreSettings;
use super::file::{File, Text};
use super::gateway_port::GatewayPort;
use super::limits;
use super::problem::{Mistake, Origin, Problems, did_you_mean};
use super::quantity;
use super::tracing::{Said, Tracing};
use super::upstream::Upstream;
use clap::ValueEnum;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where requests are taken unless told otherwise: this machine only.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Where the admin endpoint is unless told otherwise, the port that operators know from other proxies.
pub const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);
/// What is logged unless told otherwise.
pub const DEFAULT_LOG: &str = "info";

/// What the command line says, as text.
#[derive(Debug, Default)]
pub struct Flags {
    /// `--listen`.
    pub listen: Vec<String>,
    /// `--listen-tls`.
    pub listen_tls: Vec<String>,
    /// `--tls-certificate`.
    pub tls_certificate: Option<String>,
    /// `--tls-key`.
    pub tls_key: Option<String>,
    /// `--gateway-port`.
    pub gateway_ports: Vec<String>,
    /// `--admin`.
    pub admin: Option<String>,
    /// `--manifests`.
    pub manifests: Vec<String>,
    /// `--filters`.
    pub filters: Option<String>,
    /// `--stock-filters`.
    pub stock_filters: Option<String>,
    /// `--filter-key`.
    pub filter_keys: Vec<String>,
    /// `--require-signature`.
    pub require_signature: bool,
    /// `--upstream`.
    pub upstreams: Vec<String>,
    /// `--namespace`.
    pub namespace: Option<String>,
    /// `--cluster-domain`.
    pub cluster_domain: Option<String>,
    /// `--workers`.
    pub workers: Option<String>,
    /// `--access-log`.
    pub access_log: Option<String>,
    /// `--access-log-file`.
    pub access_log_file: Option<String>,
    /// `--log`.
    pub log: Option<String>,
    /// `--dns`.
    pub dns: Option<String>,
    /// `--watch`.
    pub watch: Option<String>,
    /// Where events are kept.
    pub events: EventFlags,
    /// `--trace-endpoint`.
    pub trace_endpoint: Option<String>,
    /// `--trace-ratio`.
    pub trace_ratio: Option<String>,
    /// `--drain-timeout`.
    pub drain: Option<String>,
    /// `--take-over`.
    pub take_over: Option<String>,
}

/// What the program uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Addresses that take requests; at least one.
    pub listen: Vec<SocketAddr>,
    /// Addresses that take requests over TLS, if there are any.
    pub listen_tls: Option<ListenTls>,
    /// Where the ports of Gateway documents are listened on; the others on the number they have.
    pub gateway_ports: Vec<GatewayPort>,
    /// The admin endpoint.
    pub admin: AdminAddress,
    /// Whether the admin endpoint may be reached from other machines.
    pub admin_allow_remote: bool,
    /// Directories of manifests, or files.
    pub manifests: Vec<PathBuf>,
    /// The directory of filters.
    pub filters: Option<PathBuf>,
    /// The directory of the filters that come with the proxy.
    pub stock_filters: Option<PathBuf>,
    /// Public keys that filters are signed by: PEM files.
    pub filter_keys: Vec<PathBuf>,
    /// Whether a filter that none of them has signed is refused; those that come with the proxy need no signature.
    pub require_signature: bool,
    /// Static endpoints.
    pub upstreams: Vec<Upstream>,
    /// The namespace of names that give none.
    pub namespace: String,
    /// What full service names end in.
    pub cluster_domain: String,
    /// Threads that serve requests; at least one.
    pub workers: usize,
    /// Whether and how requests are logged.
    pub access_log: AccessLogFormat,
    /// The file that they are appended to instead of standard output.
    pub access_log_file: Option<PathBuf>,
    /// Log levels, by module; valid.
    pub log: String,
    /// The name server to ask instead of the system's.
    pub dns: Option<SocketAddr>,
    /// How changes of the directories are noticed.
    pub watch: Watch,
    /// Where events are kept.
    pub events: StoreSettings,
    /// Whether and where traces go.
    pub tracing: Tracing,
    /// For requests in flight when the proxy ends.
    pub drain: Duration,
    /// The Unix socket by which a new process takes the place of the running one.
    pub take_over: Option<PathBuf>,
    /// Connections in total.
    pub connections: usize,
    /// Connections of one client address.
    pub connections_per_client: usize,
    /// The largest request body in bytes; none leaves it to routes, as bodies stream.
    pub request_body: Option<u64>,
    /// For responses to calls of plans that are kept, in bytes; 0 keeps none.
    pub response_cache: u64,
    /// For the memories of all instances of all filters, in bytes.
    pub filter_memory: usize,
}

/// Addresses that take requests over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenTls {
    /// The addresses; at least one.
    pub addresses: Vec<SocketAddr>,
    /// The certificate, with its chain: a PEM file.
    pub certificate: PathBuf,
    /// Its key: a PEM file.
    pub key: PathBuf,
}

/// Whether and how requests are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccessLogFormat {
    /// One JSON object a line.
    Json,
    /// Not at all.
    Off,
}

/// How changes of the directories are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Watch {
    /// By the system where it can, by looking where it cannot.
    Auto,
    /// By the system only.
    Native,
    /// By looking, for network mounts that send no events.
    Poll,
    /// Not at all.
    Off,
}

impl Settings {
    /// Merges the flags with the file at `config`, if there is one, with OpenTelemetry's variables of the environment, and
    /// with the defaults.
    ///
    /// # Errors
    /// With every mistake that there is, in either.
    pub fn load(config: Option<&Path>, flags: Flags) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let file = match config.map(|path| (path, std::fs::read_to_string(path))) {
            None => File::default(),
            Some((path, Ok(text))) => File::parse(&text, path, &mut problems),
            Some((path, Err(error))) => {
                let origin = Origin::File { file: path.to_owned(), line: 0, column: 0 };
                problems.add(origin, format!("cannot be read: {error}"), Some("give another file to --config".into()));
                File::default()
            }
        };
        let said = Said::read(&|name| std::env::var(name).ok());
        Self::resolve(config.unwrap_or(Path::new("")), file, flags, said, problems)
    }

    fn resolve(path: &Path, file: File, flags: Flags, said: Said, problems: Problems) -> Result<Self, Problems> {
        let mut merge = Merge { path, problems };
        let admin = file.admin.unwrap_or_default();
        let bounds = file.limits.unwrap_or_default();
        let (admin, admin_allow_remote) = merge.admin(flags.admin, admin.address, admin.allow_remote);
        let settings = Self {
            listen: merge.listen(flags.listen, file.listen),
            listen_tls: merge.listen_tls(
                (flags.listen_tls, flags.tls_certificate, flags.tls_key),
                (file.listen_tls, file.tls_certificate, file.tls_key),
            ),
            gateway_ports: merge.gateway_ports(flags.gateway_ports, file.gateway_ports),
            admin,
            admin_allow_remote,
            manifests: merge.manifests(flags.manifests, file.manifests),
            filters: merge.directory(flags.filters, "--filters", file.filters),
            stock_filters: merge
                .directory(flags.stock_filters, "--stock-filters", file.stock_filters)
                .or_else(stock_filters),
            filter_keys: merge.files(flags.filter_keys, "--filter-key", file.filter_keys),
            require_signature: flags.require_signature
                || merge.written(file.require_signature, yes_or_no).unwrap_or(false),
            upstreams: merge.all(flags.upstreams, "--upstream", file.upstreams, Upstream::parse),
            namespace: merge.one(flags.namespace, "--namespace", file.namespace, label).unwrap_or("default".into()),
            cluster_domain: merge
                .one(flags.cluster_domain, "--cluster-domain", file.cluster_domain, domain)
                .unwrap_or("cluster.local".into()),
            workers: merge.one(flags.workers, "--workers", file.workers, quantity::count).unwrap_or_else(processors),
            access_log: merge
                .one(flags.access_log, "--access-log", file.access_log, choice)
                .unwrap_or(AccessLogFormat::Json),
            access_log_file: merge.place(flags.access_log_file, "--access-log-file", file.access_log_file),
            log: merge.one(flags.log, "--log", file.log, levels).unwrap_or(DEFAULT_LOG.into()),
            dns: merge.one(flags.dns, "--dns", file.dns, super::address::socket_address),
            watch: merge.one(flags.watch, "--watch", file.watch, choice).unwrap_or(Watch::Auto),
            events: merge.events(flags.events, file.events.unwrap_or_default()),
            tracing: merge.tracing((flags.trace_endpoint, flags.trace_ratio), file.tracing.unwrap_or_default(), said),
            drain: merge.one(flags.drain, "--drain-timeout", bounds.drain, quantity::duration).unwrap_or(limits::DRAIN),
            take_over: merge.place(flags.take_over, "--take-over", file.take_over),
            connections: merge.written(bounds.connections, quantity::count).unwrap_or(limits::CONNECTIONS),
            connections_per_client: merge
                .written(bounds.connections_per_client, quantity::count)
                .unwrap_or(limits::CONNECTIONS_PER_ADDRESS),
            request_body: merge.written(bounds.request_body, quantity::size),
            response_cache: merge.written(bounds.response_cache, quantity::size).unwrap_or(limits::RESPONSE_CACHE),
            filter_memory: merge.written(bounds.filter_memory, memory).unwrap_or(limits::FILTERS_MEMORY),
        };
        if merge.problems.0.is_empty() { Ok(settings) } else { Err(merge.problems) }
    }
}

/// One value with where it was written.
struct Written {
    text: String,
    origin: Origin,
}

/// What a path is to lead to.
#[derive(Debug, Clone, Copy)]
enum Expected {
    File,
    Directory,
    FileOrDirectory,
}

/// Takes values from flags or the file, and notes those that cannot be used.
struct Merge<'a> {
    path: &'a Path,
    problems: Problems,
}

impl Merge<'_> {
    fn one<T>(
        &mut self,
        flag: Option<String>,
        name: &'static str,
        file: Option<Text>,
        parse: fn(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        let written = self.pick(flag, name, file)?;
        self.problems.keep(&written.origin, parse(&written.text))
    }

    fn written<T>(&mut self, file: Option<Text>, parse: fn(&str) -> Result<T, Mistake>) -> Option<T> {
        self.one(None, "", file, parse)
    }

    fn all<T>(
        &mut self,
        flags: Vec<String>,
        name: &'static str,
        file: Option<Vec<Text>>,
        parse: fn(&str) -> Result<T, Mistake>,
    ) -> Vec<T> {
        let written = self.pick_all(flags, name, file);
        written.into_iter().filter_map(|one| self.problems.keep(&one.origin, parse(&one.text))).collect()
    }

    fn admin(&mut self, flag: Option<String>, file: Option<Text>, allow: Option<Text>) -> (AdminAddress, bool) {
        let default = AdminAddress::Tcp(DEFAULT_ADMIN);
        let allow_remote = self.written(allow, yes_or_no).unwrap_or(false);
        let Some(written) = self.pick(flag, "--admin", file) else { return (default, allow_remote) };
        let Some(address) = self.problems.keep(&written.origin, AdminAddress::parse(&written.text)) else {
            return (default, allow_remote);
        };
        if !address.is_local() && !allow_remote {
            let message = format!("other machines could reach the admin endpoint at {}", written.text);
            let help = "it asks for no password: use a loopback address or `unix:PATH`, or set `admin: { allow-remote: \
                        true }` in the configuration file";
            self.problems.add(written.origin, message, Some(help.into()));
        }
        (address, allow_remote)
    }

    fn directory(&mut self, flag: Option<String>, name: &'static str, file: Option<Text>) -> Option<PathBuf> {
        let written = self.pick(flag, name, file)?;
        self.existing(written, Expected::Directory)
    }

    fn manifests(&mut self, flags: Vec<String>, file: Option<Vec<Text>>) -> Vec<PathBuf> {
        let written = self.pick_all(flags, "--manifests", file);
        written.into_iter().filter_map(|one| self.existing(one, Expected::FileOrDirectory)).collect()
    }

    fn files(&mut self, flags: Vec<String>, name: &'static str, file: Option<Vec<Text>>) -> Vec<PathBuf> {
        let written = self.pick_all(flags, name, file);
        written.into_iter().filter_map(|one| self.existing(one, Expected::File)).collect()
    }

    /// Where something is to be; what the file writes is relative to the file.
    fn place(&mut self, flag: Option<String>, name: &'static str, file: Option<Text>) -> Option<PathBuf> {
        let written = self.pick(flag, name, file)?;
        let base = self.path.parent().filter(|_| matches!(written.origin, Origin::File { .. }));
        Some(base.unwrap_or(Path::new("")).join(&written.text))
    }

    /// What is there and is what was expected. What the file writes is relative to the file.
    fn existing(&mut self, written: Written, expected: Expected) -> Option<PathBuf> {
        let base = self.path.parent().filter(|_| matches!(written.origin, Origin::File { .. }));
        let path = base.unwrap_or(Path::new("")).join(&written.text);
        let (is_right, what) = match expected {
            Expected::File => (path.is_file(), "file"),
            Expected::Directory => (path.is_dir(), "directory"),
            Expected::FileOrDirectory => (path.exists(), "directory"),
        };
        if is_right {
            return Some(path);
        }
        let message = if path.exists() {
            format!("`{}` is not a {what}", path.display())
        } else {
            format!("there is no {what} `{}`", path.display())
        };
        self.problems.add(written.origin, message, None);
        None
    }

    fn pick(&self, flag: Option<String>, name: &'static str, file: Option<Text>) -> Option<Written> {
        let flag = flag.map(|text| Written { text, origin: Origin::Flag(name) });
        flag.or_else(|| file.map(|text| self.written_in_file(text)))
    }

    fn pick_all(&self, flags: Vec<String>, name: &'static str, file: Option<Vec<Text>>) -> Vec<Written> {
        if flags.is_empty() {
            return file.unwrap_or_default().into_iter().map(|text| self.written_in_file(text)).collect();
        }
        flags.into_iter().map(|text| Written { text, origin: Origin::Flag(name) }).collect()
    }

    fn written_in_file(&self, text: Text) -> Written {
        let (line, column) = (text.referenced.line(), text.referenced.column());
        Written { text: text.value, origin: Origin::File { file: self.path.to_owned(), line, column } }
    }
}

fn choice<T: ValueEnum>(text: &str) -> Result<T, Mistake> {
    T::from_str(text, false).map_err(|_| {
        let known: Vec<String> = T::value_variants()
            .iter()
            .filter_map(|value| Some(value.to_possible_value()?.get_name().to_owned()))
            .collect();
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        Mistake::with_help(format!("`{text}` is none of {}", known.join(", ")), did_you_mean(text, &names))
    })
}

fn yes_or_no(text: &str) -> Result<bool, Mistake> {
    text.parse().map_err(|_| Mistake::new(format!("`{text}` is neither `true` nor `false`")))
}

fn memory(text: &str) -> Result<usize, Mistake> {
    let bytes = quantity::size(text)?;
    usize::try_from(bytes).map_err(|_| Mistake::new(format!("`{text}` is more than this machine can address")))
}

fn levels(text: &str) -> Result<String, Mistake> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(Mistake::with_help(
            format!("`{text}` does not name log levels: {error}"),
            "write a level and exceptions to it by module, such as `info,sluicegate::chain=debug`",
        )),
    }
}

/// A name as Kubernetes has it (RFC 1123 label).
fn label(text: &str) -> Result<String, Mistake> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.is_empty() && text.len() <= 63 && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
    {
        return Ok(text.to_owned());
    }
    Err(Mistake::with_help(
        format!("`{text}` is not a name"),
        "write lower-case letters, digits and `-`, 63 at most, with a letter or digit at both ends",
    ))
}

fn domain(text: &str) -> Result<String, Mistake> {
    text.split('.').try_for_each(|part| label(part).map(drop))?;
    Ok(text.to_owned())
}

/// `filters` beside the executable, where an installation has them.
fn stock_filters() -> Option<PathBuf> {
    let directory = std::env::current_exe().ok()?.parent()?.join("filters");
    directory.is_dir().then_some(directory)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, flags: Flags) -> Result<Settings, Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("mine")).unwrap();
        let path = directory.path().join("sluicegate.yaml");
        std::fs::write(&path, text).unwrap();
        let prefix = format!("{}/", directory.path().display());
        let problems = |problems: Problems| {
            problems.0.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect::<Vec<_>>()
        };
        Settings::load(Some(&path), flags).map_err(problems)
    }

    #[test]
    fn works_without_file_and_flags() {
        let settings = Settings::load(None, Flags::default()).unwrap();
        assert_eq!(settings.listen, [DEFAULT_LISTEN]);
        assert_eq!(settings.admin, AdminAddress::Tcp(DEFAULT_ADMIN));
        assert_eq!((settings.namespace.as_str(), settings.cluster_domain.as_str()), ("default", "cluster.local"));
        assert_eq!((settings.access_log, settings.watch), (AccessLogFormat::Json, Watch::Auto));
        assert!(settings.workers >= 1 && settings.manifests.is_empty() && settings.request_body.is_none());
        assert_eq!(settings.drain, limits::DRAIN);
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_beats_the_default() {
        type Shown = fn(&Settings) -> String;
        let some = |text: &str| Some(text.to_owned());
        let table: [(&str, Flags, Shown, &str, &str); 8] = [
            ("workers: 3", Flags { workers: some("5"), ..Flags::default() }, |s| s.workers.to_string(), "3", "5"),
            ("log: warn", Flags { log: some("debug"), ..Flags::default() }, |s| s.log.clone(), "warn", "debug"),
            (
                "watch: poll",
                Flags { watch: some("off"), ..Flags::default() },
                |s| format!("{:?}", s.watch),
                "Poll",
                "Off",
            ),
            (
                "access-log: off",
                Flags { access_log: some("json"), ..Flags::default() },
                |s| format!("{:?}", s.access_log),
                "Off",
                "Json",
            ),
            (
                "limits: { drain: 5s }",
                Flags { drain: some("250ms"), ..Flags::default() },
                |s| format!("{:?}", s.drain),
                "5s",
                "250ms",
            ),
            (
                "listen: ['127.0.0.1:1', '127.0.0.1:2']",
                Flags { listen: vec!["[::1]:3".into()], ..Flags::default() },
                |s| format!("{:?}", s.listen),
                "[127.0.0.1:1, 127.0.0.1:2]",
                "[[::1]:3]",
            ),
            (
                "admin: { address: 'unix:/run/a' }",
                Flags { admin: some("127.0.0.1:4"), ..Flags::default() },
                |s| s.admin.to_string(),
                "unix:/run/a",
                "http://127.0.0.1:4",
            ),
            (
                "namespace: shop",
                Flags { namespace: some("till"), ..Flags::default() },
                |s| s.namespace.clone(),
                "shop",
                "till",
            ),
        ];
        for (file, flags, shown, from_file, from_flag) in table {
            assert_eq!(shown(&load(file, Flags::default()).unwrap()), from_file, "{file}");
            assert_eq!(shown(&load(file, flags).unwrap()), from_flag, "{file}");
        }
    }

    #[test]
    fn reports_all_wrong_values_of_file_and_flags_at_once() {
        let file =
            "workers: none\nwatch: pol\nlimits:\n  drain: soon\n  request-body: 1 lot\nmanifests: [mine, yours]\n";
        let flags = Flags { log: Some("info,=".into()), listen: vec!["8080".into()], ..Flags::default() };
        let problems = load(file, flags).unwrap_err().join("\n");
        for expected in [
            "--listen: error: `8080` is not an address",
            "--log: error: `info,=` does not name log levels",
            "sluicegate.yaml:1:10: error: `none` is not a whole number",
            "sluicegate.yaml:2:8: error: `pol` is none of auto, native, poll, off\n  help: did you mean `poll`?",
            "sluicegate.yaml:4:10: error: `soon` is not a duration",
            "sluicegate.yaml:5:17: error: `1 lot` is not a size",
            "sluicegate.yaml:6:19: error: there is no directory `yours`",
        ] {
            assert!(problems.contains(expected), "no {expected:?} in\n{problems}");
        }
    }

    #[test]
    fn a_wrong_shape_does_not_hide_a_wrong_value() {
        let problems = load("wrokers: 2\nlimits: { drain: soon }\n", Flags::default()).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:#?}");
    }

    #[test]
    fn paths_of_the_file_are_relative_to_the_file() {
        let settings = load("manifests: [mine]\nfilters: mine\n", Flags::default()).unwrap();
        assert!(settings.manifests[0].is_absolute() && settings.manifests[0].ends_with("mine"));
        assert_eq!(settings.filters.as_ref(), settings.manifests.first());
    }

    #[test]
    fn an_admin_endpoint_for_other_machines_must_be_asked_for() {
        let problems = load("admin: { address: '0.0.0.0:9901' }", Flags::default()).unwrap_err();
        assert!(
            problems[0].starts_with("sluicegate.yaml:1:19:") && problems[0].contains("allow-remote"),
            "{problems:?}"
        );
        let flags = Flags { admin: Some("0.0.0.0:9901".into()), ..Flags::default() };
        let settings = load("admin: { allow-remote: true }", flags).unwrap();
        assert!(settings.admin_allow_remote && !settings.admin.is_local());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let problems = Settings::load(Some(Path::new("nowhere.yaml")), Flags::default()).unwrap_err();
        assert!(problems.to_string().starts_with("nowhere.yaml: error: cannot be read"), "{problems}");
    }

    #[test]
    fn an_address_that_is_there_twice_is_refused() {
        assert!(load("listen: ['127.0.0.1:1', 'localhost:1']", Flags::default()).unwrap_err()[0].contains("twice"));
    }
}
