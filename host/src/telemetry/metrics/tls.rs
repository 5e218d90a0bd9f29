//! Handshakes with clients, and until when the proxy's certificates are good.

use super::Section;
use super::histogram::Amount;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// How a handshake with a client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeResult {
    /// TLS of this version is spoken, such as `1.3`.
    Completed(&'static str),
    /// The connection went on undecrypted.
    Passed,
    /// Nobody has the name that the client asked for.
    UnknownName,
    /// The two did not agree, or the client went away.
    Failed,
    /// The client took too long.
    TimedOut,
}

impl HandshakeResult {
    fn labels(self) -> [(&'static str, &'static str); 2] {
        let (result, version) = match self {
            Self::Completed(version) => ("completed", version),
            Self::Passed => ("passed", ""),
            Self::UnknownName => ("unknown_name", ""),
            Self::Failed => ("failed", ""),
            Self::TimedOut => ("timed_out", ""),
        };
        [("result", result), ("version", version)]
    }
}

/// A certificate that clients are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateFigures {
    /// Where it comes from: a file, or `Secret NAMESPACE/NAME`.
    pub source: String,
    /// The first DNS name that it is for; empty when it has none.
    pub name: String,
    /// When it ends.
    pub expires: SystemTime,
}

/// What is counted of TLS. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct TlsMetrics {
    handshakes: Family<[(&'static str, &'static str); 2], Counter>,
    certificates: Arc<Mutex<Vec<CertificateFigures>>>,
}

impl TlsMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "TLS handshakes with clients, by how they ended and the version of TLS";
        registry.register("sluicegate_tls_handshakes", help, metrics.handshakes.clone());
        metrics
    }

    /// Counts one.
    pub fn handshake(&self, result: HandshakeResult) {
        self.handshakes.get_or_create(&result.labels()).inc();
    }

    /// Says which certificates are in force, in place of those before.
    pub fn show_certificates(&self, mut certificates: Vec<CertificateFigures>) {
        certificates.sort();
        certificates.dedup_by(|one, other| (&one.source, &one.name) == (&other.source, &other.name));
        *self.certificates.lock().unwrap_or_else(PoisonError::into_inner) = certificates;
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let certificates = self.certificates.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let help = "When a certificate ends that clients are shown, in seconds since 1970-01-01T00:00:00Z.";
        let mut section = Section::gauge(encoder, "sluicegate_tls_certificate_expiry_timestamp_seconds", help)?;
        for CertificateFigures { source, name, expires } in certificates {
            let seconds = expires.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            section.series(&[("source", source), ("name", name)], &Amount(seconds))?;
        }
        Ok(())
    }
}
