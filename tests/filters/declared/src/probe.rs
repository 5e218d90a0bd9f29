//! What both filters do: reads headers in every way there is, and writes what it read into a response header.

use sluicegate_sdk::prelude::*;

/// For each header its first value, the same read again, and how many it has.
pub(crate) fn seen(request: &Request<'_>) -> String {
    let text =
        |value: Option<Vec<u8>>| value.map_or("none".into(), |value| String::from_utf8_lossy(&value).into_owned());
    let read = |name| {
        let values = request.header_values(name).len();
        let (first, again) = (text(request.header_bytes(name)), text(request.header_bytes(name)));
        format!("{name}={first}|{again}|{values}")
    };
    ["x-one", "X-Two", "x-empty", "x-filter-request", "x-other"].map(read).join(" ")
}
