//! A `DestinationRule` as it is written.

use crate::upstream::registry::Labels;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct DestinationRule {
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) creation_timestamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) host: String,
    pub(super) traffic_policy: Option<TrafficPolicy>,
    pub(super) subsets: Option<Vec<Subset>>,
    pub(super) export_to: Option<Vec<String>>,
    pub(super) workload_selector: Option<WorkloadSelector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorkloadSelector {
    pub(super) match_labels: Option<Labels>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subset {
    pub(super) name: String,
    pub(super) labels: Option<Labels>,
    pub(super) traffic_policy: Option<TrafficPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrafficPolicy {
    #[serde(flatten)]
    pub(super) parts: Parts,
    pub(super) port_level_settings: Option<Vec<PortPolicy>>,
}

#[derive(Deserialize)]
pub(super) struct PortPolicy {
    pub(super) port: Port,
    #[serde(flatten)]
    pub(super) parts: Parts,
}

#[derive(Deserialize)]
pub(super) struct Port {
    pub(super) number: u16,
}

/// What a policy is made of.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parts {
    pub(super) load_balancer: Option<LoadBalancer>,
    pub(super) connection_pool: Option<ConnectionPool>,
    pub(super) outlier_detection: Option<OutlierDetection>,
    pub(super) tls: Option<Tls>,
    pub(super) retry_budget: Option<RetryBudget>,
    pub(super) tunnel: Option<serde_json::Value>,
    pub(super) proxy_protocol: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoadBalancer {
    pub(super) simple: Option<Simple>,
    pub(super) consistent_hash: Option<ConsistentHash>,
    pub(super) locality_lb_setting: Option<serde_json::Value>,
    pub(super) warmup_duration_secs: Option<String>,
    pub(super) warmup: Option<Warmup>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Simple {
    Unspecified,
    LeastConn,
    LeastRequest,
    Random,
    Passthrough,
    RoundRobin,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsistentHash {
    pub(super) http_header_name: Option<String>,
    pub(super) http_cookie: Option<Cookie>,
    pub(super) use_source_ip: Option<bool>,
    pub(super) http_query_parameter_name: Option<String>,
    pub(super) ring_hash: Option<RingHash>,
    pub(super) maglev: Option<Maglev>,
    pub(super) minimum_ring_size: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Cookie {
    pub(super) name: String,
    pub(super) path: Option<String>,
    pub(super) ttl: Option<String>,
    pub(super) attributes: Option<Vec<Attribute>>,
}

#[derive(Deserialize)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RingHash {
    pub(super) minimum_ring_size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Maglev {
    pub(super) table_size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Warmup {
    pub(super) duration: Option<String>,
    pub(super) minimum_percent: Option<f64>,
    pub(super) aggression: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct ConnectionPool {
    pub(super) tcp: Option<Tcp>,
    pub(super) http: Option<Http>,
}

// The names are the format's own.
#[allow(clippy::struct_field_names)]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tcp {
    pub(super) max_connections: Option<u32>,
    pub(super) connect_timeout: Option<String>,
    pub(super) tcp_keepalive: Option<Keepalive>,
    pub(super) max_connection_duration: Option<String>,
    pub(super) idle_timeout: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Keepalive {
    pub(super) probes: Option<u32>,
    pub(super) time: Option<String>,
    pub(super) interval: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Http {
    pub(super) http1_max_pending_requests: Option<u32>,
    pub(super) http2_max_requests: Option<u32>,
    pub(super) max_requests_per_connection: Option<u32>,
    pub(super) max_retries: Option<u32>,
    pub(super) idle_timeout: Option<String>,
    pub(super) h2_upgrade_policy: Option<String>,
    pub(super) use_client_protocol: Option<bool>,
    pub(super) max_concurrent_streams: Option<u32>,
    pub(super) http2_keep_alive: Option<Http2KeepAlive>,
}

#[derive(Deserialize)]
pub(super) struct Http2KeepAlive {
    pub(super) interval: Option<String>,
    pub(super) timeout: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutlierDetection {
    pub(super) consecutive_5xx_errors: Option<u32>,
    pub(super) consecutive_errors: Option<u32>,
    pub(super) consecutive_gateway_errors: Option<u32>,
    pub(super) consecutive_local_origin_failures: Option<u32>,
    pub(super) split_external_local_origin_errors: Option<bool>,
    pub(super) interval: Option<String>,
    pub(super) base_ejection_time: Option<String>,
    pub(super) max_ejection_percent: Option<u32>,
    pub(super) min_health_percent: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tls {
    pub(super) mode: Option<String>,
    pub(super) client_certificate: Option<String>,
    pub(super) private_key: Option<String>,
    pub(super) ca_certificates: Option<String>,
    pub(super) ca_crl: Option<String>,
    pub(super) credential_name: Option<String>,
    pub(super) subject_alt_names: Option<Vec<String>>,
    pub(super) sni: Option<String>,
    pub(super) insecure_skip_verify: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RetryBudget {
    pub(super) percent: Option<f64>,
    pub(super) min_retry_concurrency: Option<u32>,
}

impl Tls {
    /// Whether it says how TLS is to be spoken.
    pub(super) fn says_how(&self) -> bool {
        let texts = [&self.client_certificate, &self.private_key, &self.ca_certificates, &self.ca_crl];
        let names = [&self.credential_name, &self.sni];
        texts.iter().chain(&names).any(|text| text.is_some())
            || self.subject_alt_names.is_some()
            || self.insecure_skip_verify.is_some()
    }
}
