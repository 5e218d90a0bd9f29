//! Tokens as an expression (CESQL, section 2).

use crate::ParseError;
use crate::expression::{Expression, Node};
use crate::function::Function;
use crate::lexer::{Kind, Token, tokens};
use crate::like::Pattern;
use crate::operator::Operator;
use crate::value::Value;
use std::ops::ControlFlow;

/// How deep parentheses, signs and arguments may be nested. Each level takes some stack of whoever reads it.
const NESTING: usize = 50;
/// How deep the whole may be, with chains such as `a AND b AND c`, of which each link is one level.
const DEPTH: usize = 300;

/// `IN` binds tighter than every operator, `LIKE` tighter still.
const IN_STRENGTH: u8 = 5;
const LIKE_STRENGTH: u8 = 6;
/// Words that are no attribute.
const KEYWORDS: [&str; 9] = ["AND", "OR", "XOR", "NOT", "LIKE", "IN", "EXISTS", "TRUE", "FALSE"];

/// Reads an expression.
///
/// # Errors
/// With the place and what was expected there; also when the expression is too long or too deep.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, nesting: 0 };
    let expression = parser.expression(0)?;
    match parser.peek() {
        Kind::End => Ok(expression),
        other => Err(parser.wrong(&format!("expected an operator or the end, not {}", other.described()))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    nesting: usize,
}

impl Parser {
    fn expression(&mut self, weakest: u8) -> Result<Expression, ParseError> {
        self.nesting += 1;
        if self.nesting > NESTING {
            return Err(self.wrong(&format!("this is nested more than {NESTING} levels deep")));
        }
        let mut left = self.prefix()?;
        loop {
            left = match self.after(left, weakest)? {
                ControlFlow::Continue(more) => more,
                ControlFlow::Break(whole) => {
                    self.nesting -= 1;
                    return Ok(whole);
                }
            };
        }
    }

    /// What an operand becomes with the operator that follows it; the operand itself, as the whole, when none does that
    /// binds tight enough.
    fn after(&mut self, left: Expression, weakest: u8) -> Result<ControlFlow<Expression, Expression>, ParseError> {
        let negated = self.is_word(0, "NOT");
        let offset = usize::from(negated);
        if weakest < LIKE_STRENGTH && self.is_word(offset, "LIKE") {
            self.next += offset + 1;
            let Kind::String(pattern) = self.peek().clone() else {
                return Err(self.wrong("after LIKE there has to be a text in quotes"));
            };
            self.next += 1;
            let depth = left.depth;
            return self
                .node(Node::Like(Box::new(left), Pattern::new(&pattern), negated), depth)
                .map(ControlFlow::Continue);
        }
        if weakest < IN_STRENGTH && self.is_word(offset, "IN") {
            self.next += offset + 1;
            let set = self.list(1)?;
            let depth = depth_of(&set).max(left.depth);
            return self.node(Node::In(Box::new(left), set, negated), depth).map(ControlFlow::Continue);
        }
        let Some(operator) = Operator::of(self.peek()).filter(|operator| operator.strength() > weakest) else {
            return Ok(ControlFlow::Break(left));
        };
        self.next += 1;
        let right = self.expression(operator.strength())?;
        let depth = left.depth.max(right.depth);
        self.node(Node::Binary(operator, Box::new(left), Box::new(right)), depth).map(ControlFlow::Continue)
    }

    fn prefix(&mut self) -> Result<Expression, ParseError> {
        let kind = self.peek().clone();
        match &kind {
            Kind::Symbol("-") => {
                self.next += 1;
                self.negative()
            }
            Kind::Symbol("(") => {
                self.next += 1;
                let inner = self.expression(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Kind::String(text) => {
                self.next += 1;
                self.node(Node::Literal(Value::String(text.clone())), 0)
            }
            Kind::Integer(number) => match i32::try_from(*number) {
                Ok(number) => {
                    self.next += 1;
                    self.node(Node::Literal(Value::Integer(number)), 0)
                }
                Err(_) => Err(self.wrong(&format!("{number} is beyond 32 bits"))),
            },
            Kind::Word(word) => self.word(word),
            _ => Err(self.wrong(&format!("expected a value, not {}", kind.described()))),
        }
    }

    /// The sign belongs to a number that follows it: only with it does the least one fit.
    fn negative(&mut self) -> Result<Expression, ParseError> {
        if let Kind::Integer(number) = *self.peek()
            && let Ok(number) = i32::try_from(-number)
        {
            self.next += 1;
            return self.node(Node::Literal(Value::Integer(number)), 0);
        }
        let inner = self.operand()?;
        let depth = inner.depth;
        self.node(Node::Negative(Box::new(inner)), depth)
    }

    fn word(&mut self, word: &str) -> Result<Expression, ParseError> {
        let upper = word.to_ascii_uppercase();
        let start = self.next;
        self.next += 1;
        match upper.as_str() {
            "TRUE" | "FALSE" => self.node(Node::Literal(Value::Boolean(upper == "TRUE")), 0),
            "NOT" => {
                let inner = self.operand()?;
                let depth = inner.depth;
                self.node(Node::Not(Box::new(inner)), depth)
            }
            "EXISTS" => match self.peek().clone() {
                Kind::Word(name) if is_attribute(&name) => {
                    self.next += 1;
                    self.node(Node::Exists(name.to_ascii_lowercase()), 0)
                }
                other => {
                    Err(self.wrong(&format!("after EXISTS there has to be an attribute, not {}", other.described())))
                }
            },
            _ if *self.peek() == Kind::Symbol("(") => {
                let arguments = self.list(0)?;
                let depth = depth_of(&arguments);
                self.node(Node::Call(Function::named(&upper, arguments.len()), arguments), depth)
            }
            _ if is_attribute(word) => self.node(Node::Attribute(word.to_ascii_lowercase()), 0),
            _ => {
                self.next = start;
                Err(self.wrong(&format!("expected a value, not `{word}`")))
            }
        }
    }

    /// What a sign or a NOT is before.
    fn operand(&mut self) -> Result<Expression, ParseError> {
        self.nesting += 1;
        if self.nesting > NESTING {
            return Err(self.wrong(&format!("this is nested more than {NESTING} levels deep")));
        }
        let operand = self.prefix()?;
        self.nesting -= 1;
        Ok(operand)
    }

    /// Expressions in parentheses, of which there have to be so many.
    fn list(&mut self, least: usize) -> Result<Vec<Expression>, ParseError> {
        self.expect("(")?;
        let mut items = Vec::new();
        if least > 0 || *self.peek() != Kind::Symbol(")") {
            items.push(self.expression(0)?);
            while *self.peek() == Kind::Symbol(",") {
                self.next += 1;
                items.push(self.expression(0)?);
            }
        }
        self.expect(")")?;
        Ok(items)
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), ParseError> {
        if *self.peek() != Kind::Symbol(symbol) {
            return Err(self.wrong(&format!("expected `{symbol}`, not {}", self.peek().described())));
        }
        self.next += 1;
        Ok(())
    }

    fn node(&self, node: Node, inner: usize) -> Result<Expression, ParseError> {
        if inner >= DEPTH {
            return Err(self.wrong(&format!("the expression is more than {DEPTH} levels deep")));
        }
        Ok(Expression { node, depth: inner + 1 })
    }

    fn is_word(&self, offset: usize, word: &str) -> bool {
        let token = self.tokens.get(self.next + offset);
        matches!(token, Some(Token { kind: Kind::Word(found), .. }) if found.eq_ignore_ascii_case(word))
    }

    fn peek(&self) -> &Kind {
        self.tokens.get(self.next).map_or(&Kind::End, |token| &token.kind)
    }

    fn wrong(&self, reason: &str) -> ParseError {
        let column = self.tokens.get(self.next).or(self.tokens.last()).map_or(1, |token| token.column);
        ParseError { column, reason: reason.to_owned() }
    }
}

fn depth_of(expressions: &[Expression]) -> usize {
    expressions.iter().map(|expression| expression.depth).max().unwrap_or(0)
}

fn is_attribute(word: &str) -> bool {
    !word.contains('_') && !KEYWORDS.contains(&word.to_ascii_uppercase().as_str())
}
