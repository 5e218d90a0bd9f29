//! Which traces are kept.

use super::context::SpanContext;
use crate::config::Ratio;

/// Decides once for every request and every delivery of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler {
    /// The share of traces that begin here.
    pub ratio: Ratio,
    /// Whether what the sender of a `traceparent` decided counts; otherwise the ratio counts for its traces as well.
    pub follows_parents: bool,
}

impl Sampler {
    /// The place of a new span: below its parent, or the first of a trace.
    pub fn place(self, parent: Option<SpanContext>) -> SpanContext {
        match parent {
            Some(parent) => parent.child().with_sampled(self.keeps(parent)),
            None => SpanContext::root(|trace| self.ratio.keeps(trace.get())),
        }
    }

    /// Whether something that goes on from this place is kept.
    pub fn keeps(self, parent: SpanContext) -> bool {
        if self.follows_parents { parent.is_sampled() } else { self.ratio.keeps(parent.trace().get()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_kept_is_the_ratio() {
        let sampler = Sampler { ratio: Ratio::parse("0.25").unwrap(), follows_parents: true };
        let kept = (0..20_000).filter(|_| sampler.place(None).is_sampled()).count();
        // Four standard deviations are 245.
        assert!((4_700..5_300).contains(&kept), "{kept}");
    }

    #[test]
    fn a_parent_is_followed_unless_told_otherwise() {
        let parents = [true, false].map(|sampled| SpanContext::root(|_| sampled));
        for parent in parents {
            for (ratio, follows_parents, expected) in [
                (Ratio::ONE, true, parent.is_sampled()),
                (Ratio::ZERO, true, parent.is_sampled()),
                (Ratio::ONE, false, true),
                (Ratio::ZERO, false, false),
            ] {
                let place = Sampler { ratio, follows_parents }.place(Some(parent));
                assert_eq!((place.is_sampled(), place.trace()), (expected, parent.trace()));
                assert_ne!(place.span(), parent.span());
            }
        }
    }
}
