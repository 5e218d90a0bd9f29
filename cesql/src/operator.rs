//! Operators between two operands, and how tight they bind.

use crate::lexer::Kind;

/// Operators between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    And,
    Or,
    Xor,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
}

impl Operator {
    /// The operator that a token is.
    pub(crate) fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Word(word) => match word.to_ascii_uppercase().as_str() {
                "AND" => Self::And,
                "OR" => Self::Or,
                "XOR" => Self::Xor,
                _ => return None,
            },
            Kind::Symbol(symbol) => match *symbol {
                "=" => Self::Equal,
                "!=" | "<>" => Self::NotEqual,
                "<" => Self::Less,
                "<=" => Self::LessOrEqual,
                ">" => Self::Greater,
                ">=" => Self::GreaterOrEqual,
                "+" => Self::Plus,
                "-" => Self::Minus,
                "*" => Self::Times,
                "/" => Self::Divide,
                "%" => Self::Modulo,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Who binds tighter has more.
    pub(crate) fn strength(self) -> u8 {
        match self {
            Self::And | Self::Or | Self::Xor => 1,
            Self::Equal | Self::NotEqual | Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 2,
            Self::Plus | Self::Minus => 3,
            Self::Times | Self::Divide | Self::Modulo => 4,
        }
    }
}
