//! Templates: text and JSON with values of the request and of calls in them.
//!
//! They are read ([`parse`]), their names are resolved ([`resolve`], [`build`]) when the document is loaded, and they are
//! rendered ([`render`]) without building values: what is taken over is copied as it is written, or stays with the host.
//! A template always ends: it can map over a list and nothing else repeats.

pub mod build;
mod operate;
pub mod operator;
pub mod parse;
pub mod render;
pub mod resolve;
pub mod scope;

/// A template of JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// This JSON text.
    Literal(String),
    /// The value itself, of whatever type.
    Value(Chain),
    /// A string.
    Text(Text),
    /// Members by their keys, which are JSON strings. A member whose value is missing is left out.
    Object(Vec<(String, Node)>),
    /// Elements. One that is missing is left out.
    List(Vec<Node>),
    /// An operator.
    Operator(Box<Operator>),
}

/// What can be done with values. Where an operand is missing or not of the right type, so is the result.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// The members of all objects; of members of one name the last counts. What is no object is passed over.
    Merge(Vec<Node>),
    /// The members of these names, in this order; of each element, for a list.
    Pick(Vec<String>, Node),
    /// All members but those of these names; of each element, for a list.
    Drop(Vec<String>, Node),
    /// The members under other names; of each element, for a list.
    Rename(Vec<(String, String)>, Node),
    /// The elements of the lists in a list.
    Flatten(Node),
    /// A list of an object's values, each with its key as a member of this name.
    Entries(Node, String),
    /// An object of a list's elements, by the value of this member.
    Index(Node, String),
    /// The template for each element of a list, which has this slot.
    Map {
        /// The list.
        over: Node,
        /// The element's place among the items in scope.
        slot: usize,
        /// The template.
        to: Node,
    },
    /// The elements of one list, each with the elements of another that have the same key.
    Join(Join),
}

/// A join of two lists of objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// The list whose elements are kept.
    pub left: Node,
    /// The list that is looked up in.
    pub right: Node,
    /// The member of the left elements.
    pub left_key: String,
    /// The member of the right elements.
    pub right_key: String,
    /// Where the right element goes, as a JSON string; none: its members become the left element's.
    pub name: Option<String>,
    /// All right elements of the key, as a list, instead of the last one.
    pub many: bool,
    /// What stands where there is none.
    pub default: Option<String>,
}

/// A template of plain text.
#[derive(Debug, Clone, PartialEq)]
pub struct Text(pub Vec<Piece>);

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// This text.
    Literal(String),
    /// A value, written as text.
    Value(Chain),
}

/// Values of which the first counts that is there and not `null`.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The operands, in order.
    pub operands: Vec<Operand>,
    /// As the author wrote it, for messages.
    pub written: String,
}

/// A value in a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// This JSON text.
    Literal(String),
    /// A value that is known at run time.
    Reference(Reference),
}

/// Where a value comes from, and the way within it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Where it comes from.
    pub source: Source,
    /// The way within it.
    pub steps: Vec<Step>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A parameter of the path, by its number.
    Path(usize),
    /// A parameter of the query.
    Query(String),
    /// A header of the request.
    Header(String),
    /// The method of the request.
    Method,
    /// The host of the request.
    Host,
    /// The id of the request.
    Id,
    /// The body of the request, as JSON.
    Body,
    /// The body of a call.
    CallBody(usize),
    /// The status of a call.
    CallStatus(usize),
    /// A header of a call's answer.
    CallHeader(usize, String),
    /// Why a call failed.
    CallError(usize),
    /// An element of a list, by its slot.
    Item(usize),
    /// All failures, by the names of their calls.
    Errors,
}

/// A step into a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// To a member of an object.
    Member(String),
    /// To an element of a list, from its end when negative.
    Element(i64),
    /// To a member, or an element, that another value names.
    Named(Box<Reference>),
}

impl Text {
    /// A text without values.
    pub fn literal(text: &str) -> Self {
        Self(vec![Piece::Literal(text.to_owned())])
    }

    /// The text, when there is no value in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

impl Chain {
    /// Just this value.
    pub fn of(source: Source) -> Self {
        let reference = Reference { source, steps: Vec::new() };
        Self { operands: vec![Operand::Reference(reference)], written: String::new() }
    }

    /// Whether something is there in any case.
    pub fn has_fallback(&self) -> bool {
        matches!(self.operands.last(), Some(Operand::Literal(literal)) if literal != "null")
    }
}
