//! What the command line says, as text: nothing is understood or checked here.

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

/// What the command line says of where events are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFlags {
    /// `--event-store`.
    pub store: Option<String>,
    /// `--event-directory`.
    pub directory: Option<String>,
    /// `--event-nats`.
    pub nats: Vec<String>,
    /// `--event-redis`.
    pub redis: Option<String>,
    /// `--event-amqp`.
    pub amqp: Option<String>,
    /// `--event-mqtt`.
    pub mqtt: Option<String>,
    /// `--event-kafka`.
    pub kafka: Vec<String>,
}
