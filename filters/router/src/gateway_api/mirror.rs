//! The filter RequestMirror.

use super::backend;
use super::config::Mirror as Written;
use super::route::Context;
use crate::code;
use crate::mirror::Mirror;
use crate::report::{Place, Report};
use crate::share::Share;

const MILLION: i128 = 1_000_000;

/// Resolves a mirror; nothing comes of one whose backend gets no requests.
pub fn resolve(
    written: &Written,
    salt: String,
    context: &Context<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<Mirror> {
    let share = share(written, place, report);
    let backend = backend::resolve_one(&written.backend_ref, context, &place.key("backendRef"), report)?;
    backend.usable.then(|| Mirror::new(backend.destination, share, salt))
}

fn share(written: &Written, place: &Place, report: &mut Report<'_>) -> Share {
    let (numerator, denominator, place) = match (written.percent, &written.fraction) {
        (Some(_), Some(_)) => {
            let message = "`percent` and `fraction` exclude each other";
            report.error(&place.key("fraction"), code::CONFLICT, message, "keep one of the two");
            return Share::NONE;
        }
        (Some(percent), None) => (percent, 100, place.key("percent")),
        (None, Some(fraction)) => (fraction.numerator, fraction.denominator.unwrap_or(100), place.key("fraction")),
        (None, None) => return Share::ALL,
    };
    if denominator < 1 || !(0..=denominator).contains(&numerator) {
        let message = format!("{numerator} of {denominator} is not a share of the requests");
        report.error(&place, code::POLICY_VALUE, message, "use a share from none to all");
        return Share::NONE;
    }
    let millionths = i128::from(numerator) * MILLION / i128::from(denominator);
    Share::of_millionths(u32::try_from(millionths).unwrap_or(u32::MAX))
}
