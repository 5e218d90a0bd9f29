//! Whether memory is short: the resident set of the process against a limit, looked at beside the requests.
//!
//! Shedding begins at a share of the limit, 90 % unless the document says otherwise, and grows with what is used beyond
//! it: at the limit itself nothing but critical requests are taken. What began ends only when use has fallen 5 % of the
//! limit below what it began with, so that it does not flutter. Pages of files that the system can drop at any time are
//! not counted in the resident set's growth by requests, and the system kills for what it cannot drop; so the resident
//! set is a bound on the safe side.

use crate::priority::Priority;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Where the share of requests that are refused is all.
pub const ALL: u32 = 1_000;
/// How far use has to fall for less to be refused, in thousandths of the limit.
const HYSTERESIS: u64 = 50;
/// How often the system is asked what it allows, which an orchestrator may change while the process runs.
const OF_SYSTEM: Duration = Duration::from_secs(5);

/// When memory counts as short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// What there is.
    pub limit: MemoryLimit,
    /// Where shedding begins, in percent of the limit.
    pub from: u8,
}

/// How much memory there is for the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// Nobody says; nothing is refused for memory.
    None,
    /// What the control group allows (`memory.max`), if it says so.
    OfSystem,
    /// So many bytes.
    Bytes(u64),
}

impl Default for MemoryPolicy {
    fn default() -> Self {
        Self { limit: MemoryLimit::OfSystem, from: 90 }
    }
}

/// What was found last. Read by requests, written by who looks.
#[derive(Debug, Default)]
pub struct Memory {
    /// 0 to [`ALL`].
    pressure: AtomicU32,
    used: AtomicU64,
    limit: AtomicU64,
}

impl Memory {
    /// How short memory is, from 0 to [`ALL`].
    pub fn pressure(&self) -> u32 {
        self.pressure.load(Ordering::Relaxed)
    }

    /// The resident set, in bytes, where it is looked at.
    pub fn used(&self) -> Option<u64> {
        Some(self.used.load(Ordering::Relaxed)).filter(|used| *used > 0)
    }

    /// The limit in force, in bytes.
    pub fn limit(&self) -> Option<u64> {
        Some(self.limit.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }

    /// Looks how much is used.
    pub(super) fn look(&self, policy: MemoryPolicy, of_system: &mut OfSystem) {
        let limit = match policy.limit {
            MemoryLimit::None => None,
            MemoryLimit::OfSystem => of_system.limit(),
            MemoryLimit::Bytes(bytes) => Some(bytes),
        };
        let known = self.limit.swap(limit.unwrap_or(0), Ordering::Relaxed);
        let Some((limit, used)) = limit.filter(|limit| *limit > 0).zip(resident()) else {
            self.used.store(0, Ordering::Relaxed);
            return self.pressure.store(0, Ordering::Relaxed);
        };
        self.used.store(used, Ordering::Relaxed);
        let before = self.pressure();
        // What was held under another limit says nothing of this one.
        let now = held(if known == limit { before } else { 0 }, used, limit, policy.from);
        self.pressure.store(now, Ordering::Relaxed);
        match (before, now) {
            (0, 1..) => tracing::warn!(used, limit, "memory is short: requests of low priority are refused"),
            (1.., 0) => tracing::info!(used, limit, "memory is no longer short"),
            _ => {}
        }
    }
}

/// How many of the requests of a priority are refused, in thousandths. Where `classed`, low priority has the first third
/// of the pressure to itself, normal the second and high the last.
pub fn refused(pressure: u32, priority: Priority, classed: bool) -> u32 {
    let below = match (classed, priority) {
        (_, Priority::Critical) => return 0,
        (false, _) => return pressure,
        (true, Priority::Low) => 0,
        (true, Priority::Normal) => 1,
        (true, Priority::High) => 2,
    };
    (3 * pressure).saturating_sub(below * ALL).min(ALL)
}

/// The pressure that use gives, or what is left of the one before.
fn held(before: u32, used: u64, limit: u64, from: u8) -> u32 {
    let thousandths = used.saturating_mul(1_000) / limit.max(1);
    let now = pressure(thousandths, from);
    now.max(before.min(pressure(thousandths + HYSTERESIS, from)))
}

fn pressure(thousandths: u64, from: u8) -> u32 {
    let from = u64::from(from) * 10;
    let beyond = thousandths.saturating_sub(from) * u64::from(ALL) / 1_000_u64.saturating_sub(from).max(1);
    u32::try_from(beyond).unwrap_or(ALL).min(ALL)
}

/// The resident set of this process, in bytes; none where the system does not tell.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
}

/// What the system allows, asked now and then.
#[derive(Debug, Default)]
pub struct OfSystem {
    asked: Option<Instant>,
    limit: Option<u64>,
}

impl OfSystem {
    fn limit(&mut self) -> Option<u64> {
        if self.asked.is_none_or(|asked| asked.elapsed() >= OF_SYSTEM) {
            self.asked = Some(Instant::now());
            let group = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
            self.limit = of_groups(Path::new("/sys/fs/cgroup"), &group);
        }
        self.limit
    }
}

/// The least `memory.max` of a control group and those above it (cgroup v2). `membership` is what `/proc/self/cgroup` says.
fn of_groups(root: &Path, membership: &str) -> Option<u64> {
    let group = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut directory: PathBuf = root.join(group.trim_start_matches('/'));
    let mut least = None;
    while directory.starts_with(root) {
        let said = std::fs::read_to_string(directory.join("memory.max")).ok();
        let limit = said.and_then(|said| said.trim().parse::<u64>().ok());
        least = [least, limit].into_iter().flatten().min();
        if !directory.pop() {
            break;
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shedding_grows_from_the_share_to_the_limit() {
        let at = |used| held(0, used, 1_000, 90);
        assert_eq!([0, 899, 900, 950, 1_000, 2_000].map(at), [0, 0, 0, 500, ALL, ALL]);
        assert_eq!(held(0, 1_000, 1_000, 100), 0, "from the limit itself on");
        assert_eq!(held(0, 1_001, 1_000, 100), ALL);
    }

    #[test]
    fn it_ends_only_well_below_where_it_began() {
        let mut pressure = 0;
        let mut look = |used| {
            pressure = held(pressure, used, 1_000, 90);
            pressure
        };
        assert_eq!([950, 920, 901, 890, 870, 851, 850, 890].map(&mut look), [500, 500, 500, 400, 200, 10, 0, 0]);
    }

    #[test]
    fn the_lowest_priority_is_refused_first_and_the_highest_never() {
        let at = |pressure| Priority::ALL.map(|priority| refused(pressure, priority, true));
        assert_eq!(at(0), [0; 4]);
        assert_eq!(at(200), [600, 0, 0, 0]);
        assert_eq!(at(500), [ALL, 500, 0, 0]);
        assert_eq!(at(900), [ALL, ALL, 700, 0]);
        assert_eq!(at(ALL), [ALL, ALL, ALL, 0]);
        assert_eq!(refused(200, Priority::Normal, false), 200);
    }

    #[test]
    fn the_tightest_group_above_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("pod/proxy");
        std::fs::create_dir_all(&inner).unwrap();
        let write = |path: &Path, said: &str| std::fs::write(path.join("memory.max"), said).unwrap();
        let limit = || of_groups(root.path(), "1:name=systemd:/x\n0::/pod/proxy\n");
        write(&inner, "max\n");
        assert_eq!(limit(), None);
        write(&root.path().join("pod"), "1048576\n");
        assert_eq!(limit(), Some(1 << 20));
        write(&inner, "4096\n");
        assert_eq!(limit(), Some(4_096));
        assert_eq!(of_groups(root.path(), "1:memory:/pod"), None);
    }

    #[test]
    fn what_is_used_is_found_and_compared() {
        let (memory, mut of_system) = (Memory::default(), OfSystem::default());
        let limit = |limit| MemoryPolicy { limit, from: 90 };
        memory.look(limit(MemoryLimit::Bytes(1 << 20)), &mut of_system);
        assert_eq!((memory.pressure(), memory.limit()), (ALL, Some(1 << 20)));
        assert!(memory.used().unwrap() > 1 << 20);
        memory.look(limit(MemoryLimit::Bytes(1 << 50)), &mut of_system);
        assert_eq!(memory.pressure(), 0);
        memory.look(limit(MemoryLimit::None), &mut of_system);
        assert_eq!((memory.pressure(), memory.used(), memory.limit()), (0, None, None));
    }
}
