//! Compositions that would have taken a request if its headers were others: what is answered instead depends on those headers,
//! which caches have to know (RFC 9110, section 12.5.5).

use crate::composition::{Composition, Matching};
use crate::expected;

/// Adds to what each of the compositions varies by the headers that those look at which come before it, of the compositions in
/// the order in which they are asked.
pub fn vary_by_earlier(compositions: &mut [Composition], order: impl Iterator<Item = usize>) {
    let mut looking: Vec<usize> = Vec::new();
    for number in order {
        let Some(composition) = compositions.get(number) else { continue };
        let earlier = looking.iter().filter_map(|earlier| compositions.get(*earlier));
        let rivals = earlier.filter(|earlier| earlier.matching.might_take(&composition.matching));
        let names: Vec<String> = rivals.flat_map(|rival| &rival.matching.headers).map(|one| one.name.clone()).collect();
        if !composition.matching.headers.is_empty() {
            looking.push(number);
        }
        if let Some(composition) = compositions.get_mut(number) {
            vary_by(composition, names);
        }
    }
}

fn vary_by(composition: &mut Composition, names: Vec<String>) {
    let vary = &mut composition.response.vary;
    let known = vary.len();
    vary.extend(names);
    vary.sort();
    vary.dedup();
    if vary.len() > known && composition.expected.is_some() {
        // Its headers say what it varies by.
        let Composition { calls, slots, stages, response, .. } = &*composition;
        composition.expected = expected::answer(calls, slots, stages.len(), response);
    }
}

impl Matching {
    /// Whether it would take requests of the other if their headers were others.
    fn might_take(&self, other: &Self) -> bool {
        self.methods.iter().any(|method| other.methods.contains(method)) && self.path.shares_paths(&other.path)
    }
}
