//! What the operators do, over slices of JSON text.

use super::Join;
use sluicegate_sdk::json::{self, Kind};
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Members in the order of their first appearance, each with its last value.
#[derive(Default)]
struct Members<'a> {
    list: Vec<(&'a str, &'a str)>,
    places: HashMap<Cow<'a, str>, usize>,
}

impl<'a> Members<'a> {
    fn insert(&mut self, key: &'a str, value: &'a str) {
        match self.places.entry(json::plain(key)) {
            Entry::Occupied(known) => {
                if let Some(member) = self.list.get_mut(*known.get()) {
                    member.1 = value;
                }
            }
            Entry::Vacant(free) => {
                free.insert(self.list.len());
                self.list.push((key, value));
            }
        }
    }

    fn write(&self, out: &mut String) {
        write_all(self.list.iter().copied(), out);
    }
}

fn write_all<'a>(members: impl Iterator<Item = (&'a str, &'a str)>, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in members.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(key);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
}

/// Writes elements as a list.
fn write_list(out: &mut String, each: impl Iterator<Item = impl FnOnce(&mut String)>) {
    out.push('[');
    for (index, write) in each.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out);
    }
    out.push(']');
}

/// All members of the objects among these values; none where there is no object.
pub(super) fn merge(parts: &[Cow<'_, str>], out: &mut String) -> bool {
    let mut members = Members::default();
    let mut found = false;
    for part in parts.iter().filter(|part| json::kind(part) == Kind::Object) {
        found = true;
        json::members(part).for_each(|(key, value)| members.insert(key, value));
    }
    if found {
        members.write(out);
    }
    found
}

/// Applies what is meant for an object to it, or to the objects of a list; other elements stay as they are.
pub(super) fn each_object(value: &str, out: &mut String, one: impl Fn(&str, &mut String)) -> bool {
    match json::kind(value) {
        Kind::Object => one(value, out),
        Kind::List => write_list(
            out,
            json::elements(value).map(|element| {
                let one = &one;
                move |out: &mut String| match json::kind(element) {
                    Kind::Object => one(element, out),
                    _ => out.push_str(element),
                }
            }),
        ),
        _ => return false,
    }
    true
}

pub(super) fn pick(names: &[String], object: &str, out: &mut String) {
    let mut picked: Vec<Option<&str>> = vec![None; names.len()];
    for (key, value) in json::members(object) {
        let place = names.iter().position(|name| json::is_named(key, name));
        if let Some(place) = place.and_then(|place| picked.get_mut(place)) {
            *place = Some(value);
        }
    }
    out.reserve(object.len());
    out.push('{');
    let found = names.iter().zip(picked).filter_map(|(name, value)| Some((name, value?)));
    for (index, (name, value)) in found.enumerate() {
        if index > 0 {
            out.push(',');
        }
        json::write_string(name, out);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
}

pub(super) fn drop(names: &[String], object: &str, out: &mut String) {
    let left = json::members(object).filter(|(key, _)| !names.iter().any(|name| json::is_named(key, name)));
    write_all(left, out);
}

pub(super) fn rename(names: &[(String, String)], object: &str, out: &mut String) {
    let keys: Vec<(&str, String)> = names.iter().map(|(from, to)| (from.as_str(), json::string(to))).collect();
    let mut members = Members::default();
    for (key, value) in json::members(object) {
        let new = keys.iter().find(|(from, _)| json::is_named(key, from)).map(|(_, to)| to.as_str());
        members.insert(new.unwrap_or(key), value);
    }
    members.write(out);
}

pub(super) fn flatten(list: &str, out: &mut String) -> bool {
    if json::kind(list) != Kind::List {
        return false;
    }
    let mut first = true;
    out.push('[');
    let mut push = |element: &str| {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        out.push_str(element);
    };
    for element in json::elements(list) {
        match json::kind(element) {
            Kind::List => json::elements(element).for_each(&mut push),
            _ => push(element),
        }
    }
    out.push(']');
    true
}

/// Values that are no objects stand under this name.
const VALUE: &str = "\"value\"";

pub(super) fn entries(object: &str, name: &str, out: &mut String) -> bool {
    if json::kind(object) != Kind::Object {
        return false;
    }
    let name = json::string(name);
    let mut outer = Members::default();
    json::members(object).for_each(|(key, value)| outer.insert(key, value));
    let each = outer.list.iter().map(|&(key, value)| {
        let name = name.as_str();
        move |out: &mut String| {
            let mut members = Members::default();
            members.insert(name, key);
            match json::kind(value) {
                Kind::Object => {
                    json::members(value).for_each(|(key, value)| members.insert(key, value));
                    // The key wins over a member of its name: it is what sets the entries apart.
                    members.insert(name, key);
                }
                _ => members.insert(VALUE, value),
            }
            members.write(out);
        }
    });
    write_list(out, each);
    true
}

pub(super) fn index(list: &str, by: &str, out: &mut String) -> bool {
    if json::kind(list) != Kind::List {
        return false;
    }
    let keyed: Vec<(String, &str)> = json::elements(list)
        .filter_map(|element| Some((json::string(&key_text(json::member(element, by)?)?), element)))
        .collect();
    let mut members = Members::default();
    for (key, element) in &keyed {
        members.insert(key, element);
    }
    members.write(out);
    true
}

/// The text that a value is as a key: strings and scalars have one.
fn key_text(value: &str) -> Option<Cow<'_, str>> {
    matches!(json::kind(value), Kind::Text | Kind::Scalar).then(|| json::plain(value))
}

/// A key to join by: a string is no number, and a number is what is written.
fn join_key(value: &str) -> Option<(Kind, Cow<'_, str>)> {
    Some((json::kind(value), key_text(value)?))
}

pub(super) fn join(join: &Join, left: &str, right: &str, out: &mut String) -> bool {
    if json::kind(left) != Kind::List {
        return false;
    }
    let mut partners: HashMap<(Kind, Cow<'_, str>), Vec<&str>> = HashMap::new();
    for element in json::elements(right) {
        if let Some(key) = json::member(element, &join.right_key).and_then(join_key) {
            let found = partners.entry(key).or_default();
            if !join.many {
                found.clear();
            }
            found.push(element);
        }
    }
    let partners = &partners;
    let each = json::elements(left).map(|element| {
        move |out: &mut String| {
            let key = json::member(element, &join.left_key).and_then(join_key);
            let found = key.and_then(|key| partners.get(&key)).map_or(&[][..], Vec::as_slice);
            match json::kind(element) {
                Kind::Object => join_one(join, element, found, out),
                _ => out.push_str(element),
            }
        }
    });
    write_list(out, each);
    true
}

fn join_one(join: &Join, element: &str, found: &[&str], out: &mut String) {
    let mut members = Members::default();
    json::members(element).for_each(|(key, value)| members.insert(key, value));
    let mut list = String::new();
    match (&join.name, found.last()) {
        (None, partner) => partner.into_iter().flat_map(|one| json::members(one)).for_each(|(key, value)| {
            members.insert(key, value);
        }),
        (Some(name), _) if join.many && !(found.is_empty() && join.default.is_some()) => {
            write_list(&mut list, found.iter().map(|one| move |out: &mut String| out.push_str(one)));
            members.insert(name, &list);
        }
        (Some(name), Some(partner)) => members.insert(name, partner),
        (Some(name), None) => {
            if let Some(default) = &join.default {
                members.insert(name, default);
            }
        }
    }
    members.write(out);
}
