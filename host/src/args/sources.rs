//! What a proxy is made of, for every command that builds one.

use clap::{Args, ValueHint};
use sluicegate::config::Flags;
use std::path::PathBuf;

/// What a proxy is made of.
#[derive(Debug, Clone, Args)]
pub(crate) struct Sources {
    /// Configuration file (YAML); flags beat it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) config: Option<PathBuf>,
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

    /// Whether any is given, so that no running instance is asked.
    pub(super) fn is_given(&self) -> bool {
        let Self {
            config,
            filters,
            stock_filters,
            filter_keys,
            require_signature,
            upstreams,
            namespace,
            cluster_domain,
        } = self;
        let texts = [filters, stock_filters, namespace, cluster_domain];
        let lists = [filter_keys, upstreams];
        config.is_some()
            || *require_signature
            || texts.into_iter().any(Option::is_some)
            || lists.into_iter().any(|list| !list.is_empty())
    }
}
