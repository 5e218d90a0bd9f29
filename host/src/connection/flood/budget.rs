//! How many frames of which kind a client may send in a second.

use crate::config::limits;
use std::time::Duration;
use tokio::time::Instant;

/// Allowances are for this long, and then renewed.
const WINDOW: Duration = Duration::from_secs(1);

/// What a connection was flooded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flood {
    /// PING, each of which is answered (CVE-2019-9512).
    Ping,
    /// SETTINGS, each of which is answered (CVE-2019-9515).
    Settings,
    /// PRIORITY, PRIORITY_UPDATE, GOAWAY and frames that nobody knows (CVE-2019-9513).
    Priority,
    /// WINDOW_UPDATE beyond what the responses ask for.
    WindowUpdate,
    /// DATA that carries nothing and ends nothing (CVE-2019-9518).
    EmptyData,
    /// CONTINUATION of one header block (CVE-2024-27316).
    Continuation,
    /// RST_STREAM, before the answer or after it (CVE-2023-44487).
    Reset,
}

impl Flood {
    /// The name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Settings => "settings",
            Self::Priority => "priority",
            Self::WindowUpdate => "window_update",
            Self::EmptyData => "empty_data",
            Self::Continuation => "continuation",
            Self::Reset => "reset",
        }
    }
}

/// A frame, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Of a kind that may become a flood.
    Cheap(Flood),
    /// Begins a request or its trailers.
    Headers,
}

/// What is left of a second's allowance.
#[derive(Debug)]
pub(super) struct Budget {
    since: Instant,
    pings: u32,
    settings: u32,
    priorities: u32,
    window_updates: u32,
    empty_data: u32,
    /// Of the header block that is open.
    continuations: u32,
    /// Beyond those that time and requests have earned, each as much as [`limits::H2_HEADERS_PER_RESET`] header blocks.
    resets: u32,
    /// Header blocks and bytes sent in this window, which earn more of some kinds.
    headers: u32,
    sent: u64,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            pings: 0,
            settings: 0,
            priorities: 0,
            window_updates: 0,
            empty_data: 0,
            continuations: 0,
            resets: 0,
            headers: 0,
            sent: 0,
        }
    }

    /// The proxy has sent this many bytes, whose receipt the client will acknowledge.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Counts a frame; says when it is one too many.
    pub(super) fn spend(&mut self, frame: Counted) -> Option<Flood> {
        let kind = match frame {
            Counted::Headers => {
                self.continuations = 0;
                self.headers = self.headers.saturating_add(1);
                self.resets = self.resets.saturating_sub(1);
                return None;
            }
            Counted::Cheap(kind) => kind,
        };
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.since);
        if passed >= WINDOW {
            let resets = self.resets.saturating_sub(resets_earned(passed));
            *self = Self { since: now, continuations: self.continuations, resets, ..Self::new() };
        }
        let of_streams = self.headers.saturating_mul(limits::H2_FRAMES_PER_STREAM);
        let of_bytes = u32::try_from(self.sent / limits::H2_BYTES_PER_WINDOW_UPDATE).unwrap_or(u32::MAX);
        let (count, allowed) = match kind {
            Flood::Ping => (&mut self.pings, limits::H2_PINGS),
            Flood::Settings => (&mut self.settings, limits::H2_SETTINGS),
            Flood::Priority => (&mut self.priorities, limits::H2_PRIORITIES.saturating_add(of_streams)),
            Flood::WindowUpdate => {
                let earned = of_streams.saturating_add(of_bytes);
                (&mut self.window_updates, limits::H2_WINDOW_UPDATES.saturating_add(earned))
            }
            Flood::EmptyData => (&mut self.empty_data, limits::H2_EMPTY_DATA),
            Flood::Continuation => (&mut self.continuations, limits::H2_CONTINUATIONS),
            Flood::Reset => (&mut self.resets, limits::H2_RESETS.saturating_mul(limits::H2_HEADERS_PER_RESET)),
        };
        let price = if kind == Flood::Reset { limits::H2_HEADERS_PER_RESET } else { 1 };
        *count = count.saturating_add(price);
        (*count > allowed).then_some(kind)
    }
}

/// What so much time takes off the resets that are counted.
fn resets_earned(passed: Duration) -> u32 {
    let rate = limits::H2_RESETS_PER_SECOND.saturating_mul(limits::H2_HEADERS_PER_RESET);
    let earned = passed.as_millis().saturating_mul(rate.into()) / WINDOW.as_millis();
    u32::try_from(earned).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &mut Budget, kind: Flood, times: u32) -> Option<Flood> {
        (0..times).find_map(|_| budget.spend(Counted::Cheap(kind)))
    }

    #[tokio::test(start_paused = true)]
    async fn each_kind_has_its_own_allowance_for_a_second() {
        let mut budget = Budget::new();
        assert_eq!(spent(&mut budget, Flood::Ping, limits::H2_PINGS), None);
        assert_eq!(spent(&mut budget, Flood::Settings, limits::H2_SETTINGS), None);
        assert_eq!(spent(&mut budget, Flood::Ping, 1), Some(Flood::Ping));
        tokio::time::advance(WINDOW).await;
        assert_eq!(spent(&mut budget, Flood::Ping, limits::H2_PINGS), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_download_earns_its_window_updates() {
        let mut budget = Budget::new();
        assert_eq!(spent(&mut budget, Flood::WindowUpdate, limits::H2_WINDOW_UPDATES), None);
        budget.sent(100 << 20);
        let earned = u32::try_from((100 << 20) / limits::H2_BYTES_PER_WINDOW_UPDATE).unwrap();
        assert_eq!(spent(&mut budget, Flood::WindowUpdate, earned), None);
        assert_eq!(spent(&mut budget, Flood::WindowUpdate, 1), Some(Flood::WindowUpdate));
    }

    /// Resets that are taken when each comes with so many header blocks, up to a number that stands for no end.
    fn resets(budget: &mut Budget, headers: u32) -> u32 {
        let mut taken = 0;
        while taken < 100_000 {
            for _ in 0..headers {
                budget.spend(Counted::Headers);
            }
            if spent(budget, Flood::Reset, 1).is_some() {
                break;
            }
            taken += 1;
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn resets_have_a_burst_and_a_rate() {
        let mut budget = Budget::new();
        assert_eq!(resets(&mut budget, 0), limits::H2_RESETS);
        for _ in 0..3 {
            tokio::time::advance(WINDOW).await;
            // The one too many counts as well.
            assert_eq!(resets(&mut budget, 0), limits::H2_RESETS_PER_SECOND - 1);
        }
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(resets(&mut budget, 0), limits::H2_RESETS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_reset_one_request_in_four_for_ever_but_not_all_with_their_trailers() {
        assert_eq!(resets(&mut Budget::new(), 4), 100_000);
        assert!(resets(&mut Budget::new(), 2) <= 2 * limits::H2_RESETS);
        assert!(resets(&mut Budget::new(), 1) <= 2 * limits::H2_RESETS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_block_has_its_continuations_however_long_it_takes() {
        let mut budget = Budget::new();
        assert_eq!(spent(&mut budget, Flood::Continuation, limits::H2_CONTINUATIONS), None);
        tokio::time::advance(WINDOW).await;
        assert_eq!(spent(&mut budget, Flood::Continuation, 1), Some(Flood::Continuation));
        budget.spend(Counted::Headers);
        assert_eq!(spent(&mut budget, Flood::Continuation, limits::H2_CONTINUATIONS), None);
    }
}
