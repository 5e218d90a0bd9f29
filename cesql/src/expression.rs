//! What a text has been read as.

use crate::function::Function;
use crate::like::Pattern;
use crate::operator::Operator;
use crate::value::Value;

/// An expression that can be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    pub(crate) node: Node,
    pub(crate) depth: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Literal(Value),
    /// In lower case.
    Attribute(String),
    Exists(String),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Like(Box<Expression>, Pattern, bool),
    In(Box<Expression>, Vec<Expression>, bool),
    /// None when there is no such function, which is said when it is called.
    Call(Option<Function>, Vec<Expression>),
}

impl Expression {
    /// Whether somewhere in it a function is called that there is not, or not with so many arguments.
    pub fn calls_unknown(&self) -> bool {
        let any = |inner: &[Self]| inner.iter().any(Self::calls_unknown);
        match &self.node {
            Node::Literal(_) | Node::Attribute(_) | Node::Exists(_) => false,
            Node::Not(inner) | Node::Negative(inner) | Node::Like(inner, ..) => inner.calls_unknown(),
            Node::Binary(_, left, right) => left.calls_unknown() || right.calls_unknown(),
            Node::In(inner, set, _) => inner.calls_unknown() || any(set),
            Node::Call(function, arguments) => function.is_none() || any(arguments),
        }
    }
}
