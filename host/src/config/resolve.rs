//! Flags over file over defaults: from what the user wrote to what the program uses.
//!
//! A flag replaces the file's value as a whole, lists included. Every mistake of either is reported.

mod admin;
mod events;
mod listen;
mod merge;
mod paths;
#[cfg(test)]
mod tests;
mod tracing;
mod value;

use super::file::File;
use super::flags::Flags;
use super::limits;
use super::problem::{Origin, Problems};
use super::quantity;
use super::settings::{AccessLogFormat, DEFAULT_LOG, Settings, Watch};
use super::tracing::Said;
use super::upstream::Upstream;
use merge::Merge;
use std::path::{Path, PathBuf};
use value::{choice, domain, label, levels, memory, yes_or_no};

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

/// `filters` beside the executable, where an installation has them.
fn stock_filters() -> Option<PathBuf> {
    let directory = std::env::current_exe().ok()?.parent()?.join("filters");
    directory.is_dir().then_some(directory)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
