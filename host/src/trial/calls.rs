//! The calls that were made, held against those that were expected.

use super::case::Target;
use crate::upstream::registry::Names;

/// Whether each is one of the other, in any order. What was wanted without a port or subset takes one of what the others
/// leave over, so each that takes a found one may be moved to another for the sake of the next.
pub(super) fn same(wanted: &[Target], found: &[Target], names: &Names) -> bool {
    let fits: Vec<Vec<usize>> = wanted
        .iter()
        .map(|wanted| (0..).zip(found).filter(|(_, found)| wanted.accepts(found, names)).map(|(at, _)| at).collect())
        .collect();
    let mut taken = vec![None; found.len()];
    wanted.len() == found.len()
        && (0..wanted.len()).all(|one| place(one, &fits, &mut taken, &mut vec![false; found.len()]))
}

/// Gives one of the wanted a found one that fits, moving those that have one already where that helps.
fn place(one: usize, fits: &[Vec<usize>], taken: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    fits[one].iter().any(|&at| {
        if std::mem::replace(&mut tried[at], true) {
            return false;
        }
        let free = taken[at].is_none_or(|other| place(other, fits, taken, tried));
        if free {
            taken[at] = Some(one);
        }
        free
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::parse(text).unwrap()
    }

    #[test]
    fn calls_are_compared_in_any_order_and_none_is_left_over() {
        let names = Names::default();
        let (a, b) = (target("a:80"), target("b:80"));
        assert!(same(&[target("b"), target("a")], &[a.clone(), b.clone()], &names));
        assert!(!same(&[target("a")], &[a.clone(), b.clone()], &names));
        assert!(!same(&[target("a"), target("a")], &[a, b], &names));
    }

    #[test]
    fn a_call_that_is_wanted_loosely_leaves_the_others_what_they_need() {
        let all = |texts: &[&str]| texts.iter().map(|text| target(text)).collect::<Vec<_>>();
        let same = |wanted: &[&str], found: &[&str]| same(&all(wanted), &all(found), &Names::default());
        assert!(same(&["stock", "stock:80"], &["stock:80", "stock:81"]));
        assert!(same(&["stock:80", "stock"], &["stock:81", "stock:80"]));
        assert!(same(&["stock:80", "stock/v1", "stock"], &["stock:80/v1", "stock:80", "stock:81"]));
        assert!(!same(&["stock", "stock:80", "stock:80"], &["stock:80", "stock:81", "stock:82"]));
    }
}
