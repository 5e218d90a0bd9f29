//! Where a rule sends requests, and who gets copies.

use super::{Headers, Percent};
use serde::Deserialize;

/// A destination and its share.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RouteDestination {
    /// The service.
    pub destination: Option<Destination>,
    /// Its share, relative to the others'.
    pub weight: Option<i64>,
    /// Header operations for this destination.
    pub headers: Option<Headers>,
}

/// A service.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Destination {
    /// Its name.
    pub host: String,
    /// A subset of its endpoints.
    pub subset: Option<String>,
    /// Its port.
    pub port: Option<PortSelector>,
}

/// A port by number.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PortSelector {
    /// From 1 to 65535.
    pub number: Option<i64>,
}

/// A service that gets a copy.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mirror {
    /// The service.
    pub destination: Option<Destination>,
    /// How many requests.
    pub percentage: Option<Percent>,
}
