//! Values, and how one type becomes another.

use crate::Error;

/// A value of an expression (CESQL, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    String(String),
    /// 32 bits, with a sign.
    Integer(i32),
    /// True or false.
    Boolean(bool),
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    String,
    Integer,
    Boolean,
}

impl Type {
    /// What stands for a value that could not be had.
    pub(crate) fn zero(self) -> Value {
        match self {
            Self::String => Value::String(String::new()),
            Self::Integer => Value::Integer(0),
            Self::Boolean => Value::Boolean(false),
        }
    }
}

impl Value {
    pub(crate) fn of_type(&self) -> Type {
        match self {
            Self::String(_) => Type::String,
            Self::Integer(_) => Type::Integer,
            Self::Boolean(_) => Type::Boolean,
        }
    }

    /// As text, which every value can be.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::String(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Boolean(boolean) => boolean.to_string(),
        }
    }

    pub(crate) fn integer(&self) -> Result<i32, Error> {
        match self {
            Self::Integer(number) => Ok(*number),
            Self::Boolean(boolean) => Ok(i32::from(*boolean)),
            Self::String(text) => text.parse().map_err(|_| Error::Cast),
        }
    }

    /// As a truth value where one is needed. A number is none unless the function `BOOL` is asked to make it one.
    pub(crate) fn boolean(&self) -> Result<bool, Error> {
        match self {
            Self::Boolean(boolean) => Ok(*boolean),
            Self::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Self::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Self::Integer(_) | Self::String(_) => Err(Error::Cast),
        }
    }

    pub(crate) fn cast(&self, to: Type) -> Result<Self, Error> {
        Ok(match to {
            Type::String => Self::String(self.text()),
            Type::Integer => Self::Integer(self.integer()?),
            Type::Boolean => Self::Boolean(self.boolean()?),
        })
    }
}
