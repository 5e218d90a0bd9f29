//! What attackers try on a proxy, and what another client notices of it meanwhile.

mod bystander;
mod crowd;
mod flood;

pub use bystander::ask_for;
pub use crowd::{Attack, Crowd};
pub use flood::{CASES, Case, Flooded};

use crate::Proxy;
use std::fs;

/// How many descriptors the proxy has open: its connections, and a few of its own.
pub fn descriptors(proxy: &Proxy) -> usize {
    fs::read_dir(format!("/proc/{}/fd", proxy.process())).map_or(0, Iterator::count)
}

/// Lets this process, and those that it starts, open as many descriptors as the system allows.
pub fn raise_descriptors() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).ok()?;
    maximum
}
