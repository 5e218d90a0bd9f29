//! Makes operators of objects that have a key with a `$`.

use super::build::{Position, node};
use super::resolve::{REQUEST_NAME, Resolver};
use super::{Join, Node, Operator};
use crate::code;
use crate::report::{Place, did_you_mean};
use crate::schema::Shape;
use serde_json::{Map, Value};
use sluicegate_sdk::json;

/// Each operator with the other keys that it takes; those in front of the `|` are needed.
const OPERATORS: [(&str, &[&str], &[&str]); 10] = [
    ("$literal", &[], &[]),
    ("$merge", &[], &[]),
    ("$pick", &["from"], &[]),
    ("$drop", &["from"], &[]),
    ("$rename", &["from"], &[]),
    ("$flatten", &[], &[]),
    ("$entries", &["key"], &[]),
    ("$index", &["by"], &[]),
    ("$map", &["as", "to"], &[]),
    ("$join", &["with", "by"], &["as", "default", "many"]),
];

/// Makes an operator.
pub fn build(
    members: &Map<String, Value>,
    depth: usize,
    place: &Place,
    resolver: &mut Resolver<'_, '_, '_>,
) -> (Node, Shape) {
    let nothing = || (Node::Literal("null".to_owned()), Shape::Any);
    let Some((name, operand)) = the_operator(members, place, resolver) else { return nothing() };
    let operand_place = place.key(name);
    if name == "$literal" {
        return (Node::Literal(operand.to_string()), Shape::Any);
    }
    let mut maker = Maker { members, depth, place, resolver };
    let made = match name {
        "$merge" => maker.merge(operand, &operand_place),
        "$pick" => maker.names(operand, &operand_place).map(|names| {
            let (from, _) = maker.operand("from");
            (Operator::Pick(names, from), Shape::Any)
        }),
        "$drop" => maker.names(operand, &operand_place).map(|names| {
            let (from, _) = maker.operand("from");
            (Operator::Drop(names, from), Shape::Any)
        }),
        "$rename" => maker.renames(operand, &operand_place),
        "$flatten" => Some((Operator::Flatten(maker.list(operand, &operand_place).0), any_list())),
        "$entries" => {
            let (of, _) = maker.node(operand, &operand_place);
            maker.text("key").map(|key| (Operator::Entries(of, key), any_list()))
        }
        "$index" => {
            let (of, _) = maker.list(operand, &operand_place);
            maker.text("by").map(|by| (Operator::Index(of, by), Shape::Any))
        }
        "$map" => maker.map(operand, &operand_place),
        _ => maker.join(operand, &operand_place),
    };
    made.map_or_else(nothing, |(operator, shape)| (Node::Operator(Box::new(operator)), shape))
}

/// The one key with a `$`, when all others are its own and those that it needs are there.
fn the_operator<'m>(
    members: &'m Map<String, Value>,
    place: &Place,
    resolver: &mut Resolver<'_, '_, '_>,
) -> Option<(&'static str, &'m Value)> {
    let (written, operand) = members.iter().find(|(key, _)| key.starts_with('$'))?;
    let Some((name, needed, optional)) = OPERATORS.iter().find(|(name, ..)| name == written) else {
        let help = format!(
            "{}; a member whose name begins with a `$` stands within `$literal`",
            did_you_mean(written, OPERATORS.iter().map(|(name, ..)| *name))
        );
        resolver.report.error(&place.key(written), code::OPERATOR, format!("`{written}` is not an operator"), help);
        return None;
    };
    let mut fits = true;
    for missing in needed.iter().filter(|key| !members.contains_key(**key)) {
        let help = format!("an operator is written `{{{name}: ..., {}: ...}}`", needed.join(": ..., "));
        resolver.report.error(place, code::OPERATOR, format!("`{name}` needs `{missing}`"), help);
        fits = false;
    }
    let known = || needed.iter().chain(optional.iter()).copied();
    for key in members.keys().filter(|key| *key != name && !known().any(|known| known == *key)) {
        let message = format!("`{name}` takes no `{key}`");
        resolver.report.error(&place.key(key), code::OPERATOR, message, did_you_mean(key, known()));
        fits = false;
    }
    fits.then_some((*name, operand))
}

fn any_list() -> Shape {
    Shape::List(Box::new(Shape::Any))
}

struct Maker<'m, 'p, 's, 'n, 'r, 'd> {
    members: &'m Map<String, Value>,
    depth: usize,
    place: &'p Place,
    resolver: &'s mut Resolver<'n, 'r, 'd>,
}

impl Maker<'_, '_, '_, '_, '_, '_> {
    fn node(&mut self, written: &Value, place: &Place) -> (Node, Shape) {
        node(written, Position::Inside, self.depth + 1, place, self.resolver)
    }

    fn operand(&mut self, key: &str) -> (Node, Shape) {
        let (members, place) = (self.members, self.place.key(key));
        self.node(members.get(key).unwrap_or(&Value::Null), &place)
    }

    /// A template of a list, and what is known of its elements.
    fn list(&mut self, written: &Value, place: &Place) -> (Node, Shape) {
        let (built, shape) = self.node(written, place);
        let element = shape.element();
        if element.is_none() {
            let help = "name a list; `$entries` makes one of an object";
            self.resolver.report.error(place, code::NOT_A_LIST, "this is not a list", help);
        }
        (built, element.unwrap_or(Shape::Any))
    }

    fn error(&mut self, place: &Place, message: String, help: &str) {
        self.resolver.report.error(place, code::OPERATOR, message, help);
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let text = self.members.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        if text.is_none() {
            self.error(&self.place.key(key), format!("`{key}` is the name of a member"), "write a text");
        }
        text.map(str::to_owned)
    }

    fn names(&mut self, written: &Value, place: &Place) -> Option<Vec<String>> {
        let names = written.as_array().and_then(|names| {
            names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        });
        if names.is_none() {
            self.error(place, "names of members stand here, as a list of texts".to_owned(), "write `[id, name]`");
        }
        names
    }

    fn merge(&mut self, written: &Value, place: &Place) -> Option<(Operator, Shape)> {
        let Some(parts) = written.as_array() else {
            self.error(place, "`$merge` takes a list of objects".to_owned(), "write `$merge: [\"{a.body}\", ...]`");
            return None;
        };
        let parts = parts.iter().enumerate().map(|(index, part)| self.node(part, &place.index(index)).0).collect();
        Some((Operator::Merge(parts), Shape::Any))
    }

    fn renames(&mut self, written: &Value, place: &Place) -> Option<(Operator, Shape)> {
        let renames = written.as_object().and_then(|names| {
            let pair = |(from, to): (&String, &Value)| Some((from.clone(), to.as_str()?.to_owned()));
            names.iter().map(pair).collect::<Option<Vec<_>>>()
        });
        let Some(renames) = renames else {
            self.error(place, "`$rename` takes old names with new ones".to_owned(), "write `$rename: {old: new}`");
            return None;
        };
        let (from, _) = self.operand("from");
        Some((Operator::Rename(renames, from), Shape::Any))
    }

    fn map(&mut self, written: &Value, place: &Place) -> Option<(Operator, Shape)> {
        let (over, element) = self.list(written, place);
        let name = self.text("as")?;
        if name == REQUEST_NAME || self.resolver.names.calls.iter().any(|call| call.name == name) {
            let message = format!("`{name}` means something else already");
            self.resolver.report.error(&self.place.key("as"), code::NAME, message, "choose another name");
        }
        let slot = self.resolver.items.len();
        self.resolver.items.push((name, element));
        let (to, shape) = self.operand("to");
        self.resolver.items.pop();
        Some((Operator::Map { over, slot, to }, Shape::List(Box::new(shape))))
    }

    fn join(&mut self, written: &Value, place: &Place) -> Option<(Operator, Shape)> {
        let (left, _) = self.list(written, place);
        let with = self.members.get("with").cloned().unwrap_or_default();
        let (right, _) = self.list(&with, &self.place.key("with"));
        let (left_key, right_key) = match self.members.get("by") {
            Some(Value::String(key)) => (key.clone(), key.clone()),
            Some(Value::Object(keys)) if keys.len() == 1 => {
                let (left, right) = keys.iter().next()?;
                (left.clone(), right.as_str()?.to_owned())
            }
            _ => {
                let help = "write `by: id`, or `by: {id: productId}`";
                self.error(&self.place.key("by"), "`by` names the member that both have".to_owned(), help);
                return None;
            }
        };
        let name = if self.members.contains_key("as") { Some(json::string(&self.text("as")?)) } else { None };
        let many = self.members.get("many").and_then(Value::as_bool).unwrap_or(false);
        let default = self.members.get("default").map(Value::to_string);
        if name.is_none() && (many || default.is_some()) {
            let message = "`many` and `default` need a place of their own".to_owned();
            self.error(self.place, message, "name it with `as`");
        }
        let join = Join { left, right, left_key, right_key, name, many, default };
        Some((Operator::Join(join), any_list()))
    }
}
