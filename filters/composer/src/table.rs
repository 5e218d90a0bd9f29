//! Finds the composition of a request.

use crate::composition::{Composition, HeaderCondition};
use crate::host;
use crate::rival::vary_by_earlier;
use crate::view::View;
use sluicegate_sdk::{Environment, Request};
use std::collections::HashMap;

/// All compositions.
#[derive(Debug, Default)]
pub struct Table {
    compositions: Vec<Composition>,
    /// The compositions of each host, those that come first in front.
    hosts: HashMap<String, Vec<usize>>,
}

/// A composition that takes a request.
#[derive(Debug)]
pub struct Found<'a> {
    /// Its number.
    pub number: usize,
    /// The composition.
    pub composition: &'a Composition,
    /// The parameters of the path, decoded.
    pub parameters: Vec<String>,
}

/// Why a composition does not take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// Another path.
    Path,
    /// Another method.
    Method,
    /// Other headers.
    Headers,
}

impl Table {
    /// A table of these compositions.
    pub fn new(mut compositions: Vec<Composition>, environment: &Environment) -> Self {
        let mut hosts: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, composition) in compositions.iter().enumerate() {
            for name in &composition.matching.hosts {
                for name in environment.aliases(name).into_iter().chain([name.clone()]) {
                    let of_host = hosts.entry(name).or_default();
                    if !of_host.contains(&number) {
                        of_host.push(number);
                    }
                }
            }
        }
        for of_host in hosts.values_mut() {
            of_host.sort_by(|one, other| {
                let matching = |number: &usize| compositions.get(*number).map(|composition| &composition.matching);
                let (Some(one), Some(other)) = (matching(one), matching(other)) else {
                    return std::cmp::Ordering::Equal;
                };
                one.path.precedence(&other.path).then(other.headers.len().cmp(&one.headers.len()))
            });
        }
        for host in hosts.keys() {
            vary_by_earlier(&mut compositions, of_host(&hosts, host));
        }
        Self { compositions, hosts }
    }

    /// A composition by its number.
    pub fn get(&self, number: usize) -> Option<&Composition> {
        self.compositions.get(number)
    }

    /// The composition that takes the request: of the narrowest host first, then by path, then by the number of headers.
    pub fn find(&self, view: &View<'_>) -> Option<Found<'_>> {
        if self.compositions.is_empty() {
            return None;
        }
        let mut of_host = of_host(&self.hosts, view.host()).peekable();
        of_host.peek()?;
        let path = view.request.path();
        of_host.find_map(|number| {
            let composition = self.compositions.get(number)?;
            let parameters = takes(composition, &path, view).ok()?;
            Some(Found { number, composition, parameters })
        })
    }

    /// The compositions of the request's host, in order, each with why it does not take the request.
    pub fn candidates(&self, view: &View<'_>) -> Vec<(&Composition, Option<Miss>)> {
        let path = view.request.path();
        let candidate = |number: usize| {
            let composition = self.compositions.get(number)?;
            Some((composition, takes(composition, &path, view).err()))
        };
        of_host(&self.hosts, view.host()).filter_map(candidate).collect()
    }
}

/// The compositions of a host in the order in which they are asked: those that name it, then those of wildcards.
fn of_host(hosts: &HashMap<String, Vec<usize>>, host: &str) -> impl Iterator<Item = usize> {
    host::covering(host).filter_map(|name| hosts.get(&*name)).flatten().copied()
}

/// The parameters of the path, when the composition takes the request.
fn takes(composition: &Composition, path: &str, view: &View<'_>) -> Result<Vec<String>, Miss> {
    let matching = &composition.matching;
    let parameters = matching.path.matches(path).ok_or(Miss::Path)?;
    // A HEAD is a GET whose body is not sent.
    let method = if view.method() == "HEAD" { "GET" } else { view.method() };
    if !matching.methods.iter().any(|known| known == method) {
        return Err(Miss::Method);
    }
    if !matching.headers.iter().all(|condition| holds(condition, view.request)) {
        return Err(Miss::Headers);
    }
    Ok(parameters)
}

fn holds(condition: &HeaderCondition, request: &Request<'_>) -> bool {
    let Some(value) = request.header(&condition.name) else { return !condition.present };
    condition.present
        && condition.exact.as_ref().is_none_or(|exact| *exact == value)
        && condition.prefix.as_ref().is_none_or(|prefix| value.starts_with(prefix))
}
