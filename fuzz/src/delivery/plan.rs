//! What is to become of an event, by its byte.

/// How the subscription is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) retries: u32,
    pub(crate) concurrency: usize,
    pub(crate) ordered: bool,
    pub(crate) sink: bool,
}

/// An event's byte: two bits of key, three of how often it fails, three of how it ends then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned(u8);

/// What a try leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Try {
    /// The receiver answers with this status.
    Answer(u16),
    /// The receiver never answers.
    Silence,
    /// There is no connection.
    Refused,
    /// The filter wants another try.
    Later,
    /// The filter wants it not to be sent.
    Skip,
    /// The filter gives it up.
    GiveUp,
    /// The filter fails.
    Trap,
}

/// How an event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Delivered,
    Filtered,
    DeadLettered,
    Kept,
}

/// The same, with the requests that were made for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) end: End,
    /// Requests to the subscriber.
    pub(crate) tries: u32,
    /// Requests to the dead letter sink.
    pub(crate) at_sink: u32,
    /// Tries after the first, of both, those included that never became a request.
    pub(crate) retried: u64,
}

impl Setup {
    pub(crate) fn of([retries, concurrency, flags]: [u8; 3]) -> Self {
        let concurrency = usize::from(concurrency % 8) + 1;
        Self { retries: u32::from(retries % 5), concurrency, ordered: flags & 1 != 0, sink: flags & 2 != 0 }
    }
}

impl Planned {
    pub(crate) fn of(byte: u8) -> Self {
        Self(byte)
    }

    pub(crate) fn byte(self) -> u8 {
        self.0
    }

    pub(crate) fn key(self) -> u8 {
        self.0 & 3
    }

    /// Whether some time passes after it is published.
    pub(crate) fn pauses(self) -> bool {
        self.0.is_multiple_of(7)
    }

    /// A try at the subscriber, from 1.
    pub(crate) fn attempt(self, attempt: u32) -> Try {
        let failures = u32::from(self.0 >> 2 & 7);
        if attempt <= failures {
            return match (u32::from(self.0) + attempt) % 5 {
                0 => Try::Silence,
                1 => Try::Refused,
                2 => Try::Later,
                3 => Try::Answer(429),
                _ => Try::Answer(503),
            };
        }
        match self.0 >> 5 {
            0..=3 => Try::Answer(200),
            4 => Try::Answer(400),
            5 => Try::Skip,
            6 => Try::GiveUp,
            _ => Try::Trap,
        }
    }

    /// A try at the dead letter sink, from 1.
    pub(crate) fn at_sink(self, attempt: u32) -> Try {
        match (u32::from(self.0) * 5 + 2) % 7 {
            6 => Try::Answer(400),
            failures if attempt > failures => Try::Answer(202),
            _ => Try::Answer(500),
        }
    }

    /// A plain loop over all tries.
    pub(crate) fn end(self, setup: Setup) -> Ended {
        let (end, tries, requests) = leg(setup, |attempt| self.attempt(attempt));
        let ended = Ended { end, tries: requests, at_sink: 0, retried: u64::from(tries - 1) };
        if end != End::Kept || !setup.sink {
            return ended;
        }
        let (end, tries, at_sink) = leg(setup, |attempt| self.at_sink(attempt));
        let end = if end == End::Delivered { End::DeadLettered } else { End::Kept };
        Ended { end, at_sink, retried: ended.retried + u64::from(tries - 1), ..ended }
    }
}

/// How it ends at one receiver, after how many tries, and with how many requests.
fn leg(setup: Setup, attempt: impl Fn(u32) -> Try) -> (End, u32, u32) {
    let mut posts = 0;
    for number in 1..=setup.retries + 1 {
        let tried = attempt(number);
        posts += u32::from(matches!(tried, Try::Answer(_) | Try::Silence | Try::Refused));
        match tried {
            Try::Answer(200..300) => return (End::Delivered, number, posts),
            Try::Skip => return (End::Filtered, number, posts),
            Try::Answer(400) | Try::GiveUp => return (End::Kept, number, posts),
            _ => {}
        }
    }
    (End::Kept, setup.retries + 1, posts)
}
