//! Makes a template of the JSON that stands in a document.

use super::parse::Piece as Written;
use super::resolve::Resolver;
use super::{Node, Piece, Text, operator};
use crate::code;
use crate::report::Place;
use crate::schema::Shape;
use serde_json::Value;
use sluicegate_sdk::json;

/// How deep a template may nest: deeper than any answer that people read, and an end for what walks it.
pub const DEPTH: usize = 24;
/// Members, elements and operators of all templates of a composition: each costs some time for every request.
pub const NODES: usize = 2_000;

/// Where a template stands: what a value of it can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// In the answer, where a body can be taken over without a look at it.
    Answer,
    /// Where values are looked at.
    Inside,
}

/// Makes a template, and says what is known of its value.
pub fn node(
    written: &Value,
    position: Position,
    depth: usize,
    place: &Place,
    resolver: &mut Resolver<'_, '_, '_>,
) -> (Node, Shape) {
    resolver.nodes += 1;
    if depth > DEPTH || resolver.nodes > NODES {
        // Said once: what is below is not looked at.
        if depth == DEPTH + 1 || resolver.nodes == NODES + 1 {
            let message = format!("templates nest at most {DEPTH} deep and have at most {NODES} parts");
            resolver.report.error(place, code::LIMIT, message, "let a service make an answer as large as this");
        }
        return (Node::Literal("null".to_owned()), Shape::Any);
    }
    match written {
        Value::String(text) => string(text, position, place, resolver),
        Value::Array(elements) => {
            let each =
                |(index, element): (usize, &Value)| node(element, position, depth + 1, &place.index(index), resolver).0;
            let elements: Vec<Node> = elements.iter().enumerate().map(each).collect();
            (fold_list(elements), Shape::List(Box::new(Shape::Any)))
        }
        Value::Object(members) if members.keys().any(|key| key.starts_with('$')) => {
            operator::build(members, depth, place, resolver)
        }
        Value::Object(members) => {
            let mut built = Vec::with_capacity(members.len());
            let mut shape = Vec::with_capacity(members.len());
            for (name, value) in members {
                let (value, known) = node(value, position, depth + 1, &place.key(name), resolver);
                shape.push((name.clone(), known));
                built.push((json::string(name), value));
            }
            (fold_object(built), Shape::Object(shape, false))
        }
        scalar => (Node::Literal(scalar.to_string()), Shape::Plain),
    }
}

/// A string that is one value and nothing else is that value; every other one is a string.
fn string(text: &str, position: Position, place: &Place, resolver: &mut Resolver<'_, '_, '_>) -> (Node, Shape) {
    let mut pieces = resolver.parse(text, place);
    if let [Written::Value(..)] = pieces.as_slice()
        && let Some(Written::Value(operands, written)) = pieces.pop()
    {
        let (chain, shape) = resolver.chain(operands, written, position == Position::Answer, place);
        return (Node::Value(chain), shape);
    }
    let mut parts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        parts.push(match piece {
            Written::Literal(text) => Piece::Literal(text),
            Written::Value(operands, written) => Piece::Value(resolver.chain(operands, written, false, place).0),
        });
    }
    let text = Text(parts);
    match text.as_literal() {
        Some(literal) => (Node::Literal(json::string(literal)), Shape::Plain),
        None => (Node::Text(text), Shape::Plain),
    }
}

/// A list of literals is one.
fn fold_list(elements: Vec<Node>) -> Node {
    let literal = |node: &Node| if let Node::Literal(text) = node { Some(text.clone()) } else { None };
    match elements.iter().map(literal).collect::<Option<Vec<String>>>() {
        Some(literals) => Node::Literal(format!("[{}]", literals.join(","))),
        None => Node::List(elements),
    }
}

/// An object of literals is one.
fn fold_object(members: Vec<(String, Node)>) -> Node {
    let literal = |(name, node): &(String, Node)| {
        if let Node::Literal(text) = node { Some(format!("{name}:{text}")) } else { None }
    };
    match members.iter().map(literal).collect::<Option<Vec<String>>>() {
        Some(literals) => Node::Literal(format!("{{{}}}", literals.join(","))),
        None => Node::Object(members),
    }
}
