//! A share of traces.

use super::problem::Mistake;

/// The bits of a trace id that are random (W3C Trace Context Level 2, section 3.2.2.5.2).
const RANDOM_BITS: u32 = 56;
/// All of them, and the threshold's unit.
const ALL: u64 = 1 << RANDOM_BITS;

/// A share of traces, from none to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// In 2^56ths.
    kept: u64,
}

impl Ratio {
    /// All traces.
    pub const ONE: Self = Self { kept: ALL };
    /// No trace.
    pub const ZERO: Self = Self { kept: 0 };

    /// Reads a number from 0 to 1.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let share = text.trim().parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
        let share = share.ok_or_else(|| {
            Mistake::with_help(
                format!("`{text}` is not a share"),
                "write a number from 0 to 1, such as 0.1 for a tenth",
            )
        })?;
        // 2^56 is a number that a float of 64 bits has exactly, and the product is at most that.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "from 0 to 2^56"
        )]
        let kept = (share * ALL as f64).round() as u64;
        Ok(Self { kept })
    }

    /// Whether a trace is one of the share. Everyone who decides by the same ratio decides alike, and who keeps more
    /// keeps these too.
    pub fn keeps(self, trace: u128) -> bool {
        let random = u64::try_from(trace & u128::from(ALL - 1)).unwrap_or(0);
        random >= ALL - self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ratio_is_a_number_from_0_to_1() {
        let ratio = |text: &str| Ratio::parse(text).unwrap();
        assert_eq!((ratio("1"), ratio("1.0"), ratio("0")), (Ratio::ONE, Ratio::ONE, Ratio::ZERO));
        assert_eq!(ratio(" 0.5 ").kept, ALL / 2);
        for text in ["", "-0.1", "1.01", "NaN", "inf", "10%", "half"] {
            assert!(Ratio::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn who_keeps_more_keeps_what_others_keep(trace in 1..=u128::MAX, one in 0.0..=1.0f64, other in 0.0..=1.0f64) {
            let ratio = |share: f64| Ratio::parse(&share.to_string()).unwrap();
            let (less, more) = (ratio(one.min(other)), ratio(one.max(other)));
            prop_assert!(!less.keeps(trace) || more.keeps(trace));
            prop_assert!(Ratio::ONE.keeps(trace) && !Ratio::ZERO.keeps(trace));
        }
    }
}
