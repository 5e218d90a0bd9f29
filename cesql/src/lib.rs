//! CloudEvents SQL expressions (CESQL 1.0.0): what the dialect `cesql` of a Trigger's filters and the questions of operators
//! are written in.
//!
//! Every evaluation ends, and gives a value and perhaps an error beside it; a filter passes an event only when the value
//! is true and there is no error. An expression is bounded in length and depth, so that reading and evaluating it takes
//! bounded time and stack.

mod evaluate;
mod expression;
mod function;
mod lexer;
mod like;
mod operator;
mod parser;
#[cfg(test)]
mod tests;
mod value;

pub use evaluate::{Evaluation, evaluate};
pub use expression::Expression;
pub use parser::parse;
pub use value::Value;

/// An expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The character that reading stopped at, counted from 1.
    pub column: usize,
    /// What was found and what was expected.
    pub reason: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "at character {}: {}", self.column, self.reason)
    }
}

/// What can go wrong while an expression is evaluated (CESQL, section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// A value is not of the type that is needed, and cannot be turned into it.
    Cast,
    /// A division by zero, or a result beyond 32 bits.
    Math,
    /// The event has no such attribute.
    MissingAttribute,
    /// There is no such function with so many arguments.
    MissingFunction,
    /// A function cannot do with its arguments.
    FunctionEvaluation,
}

impl Error {
    /// Its name in the specification's test kit.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cast => "cast",
            Self::Math => "math",
            Self::MissingAttribute => "missingAttribute",
            Self::MissingFunction => "missingFunction",
            Self::FunctionEvaluation => "functionEvaluation",
        }
    }
}

/// Where an expression's attributes come from.
pub trait Attributes {
    /// The value of an attribute, by its name in lower case; none when it is not set.
    fn attribute(&self, name: &str) -> Option<Value>;
}
