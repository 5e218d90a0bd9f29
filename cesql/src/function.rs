//! The functions that come with the language (CESQL, section 3.5).

use crate::Error;
use crate::evaluate::Evaluation;
use crate::value::{Type, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Length,
    Concat,
    ConcatWs,
    Lower,
    Upper,
    Trim,
    Left,
    Right,
    Substring,
    Abs,
    Int,
    Bool,
    String,
    IsInt,
    IsBool,
}

impl Function {
    /// The function of a name, in upper case, that takes so many arguments.
    pub(crate) fn named(name: &str, arguments: usize) -> Option<Self> {
        let (function, fits) = match name {
            "LENGTH" => (Self::Length, arguments == 1),
            "CONCAT" => (Self::Concat, true),
            "CONCAT_WS" => (Self::ConcatWs, arguments >= 1),
            "LOWER" => (Self::Lower, arguments == 1),
            "UPPER" => (Self::Upper, arguments == 1),
            "TRIM" => (Self::Trim, arguments == 1),
            "LEFT" => (Self::Left, arguments == 2),
            "RIGHT" => (Self::Right, arguments == 2),
            "SUBSTRING" => (Self::Substring, matches!(arguments, 2 | 3)),
            "ABS" => (Self::Abs, arguments == 1),
            "INT" => (Self::Int, arguments == 1),
            "BOOL" => (Self::Bool, arguments == 1),
            "STRING" => (Self::String, arguments == 1),
            "IS_INT" => (Self::IsInt, arguments == 1),
            "IS_BOOL" => (Self::IsBool, arguments == 1),
            _ => return None,
        };
        fits.then_some(function)
    }

    pub(crate) fn result(self) -> Type {
        match self {
            Self::Length | Self::Abs | Self::Int => Type::Integer,
            Self::Bool | Self::IsInt | Self::IsBool => Type::Boolean,
            _ => Type::String,
        }
    }

    /// Calls it; the number of arguments fits.
    pub(crate) fn call(self, arguments: &[Value]) -> Evaluation {
        self.called(arguments).unwrap_or_else(|error| Evaluation::failed(self.result(), error))
    }

    fn called(self, arguments: &[Value]) -> Result<Evaluation, Error> {
        let text = |index: usize| arguments.get(index).map(Value::text).unwrap_or_default();
        let number = |index: usize| arguments.get(index).map_or(Ok(0), Value::integer);
        Ok(match self {
            Self::Length => Value::Integer(i32::try_from(text(0).chars().count()).unwrap_or(i32::MAX)).into(),
            Self::Concat => Value::String(arguments.iter().map(Value::text).collect()).into(),
            Self::ConcatWs => {
                let parts: Vec<String> = arguments.iter().skip(1).map(Value::text).collect();
                Value::String(parts.join(&text(0))).into()
            }
            Self::Lower => Value::String(text(0).to_lowercase()).into(),
            Self::Upper => Value::String(text(0).to_uppercase()).into(),
            Self::Trim => Value::String(text(0).trim().to_owned()).into(),
            Self::Left => part(&text(0), number(1)?, |length, count| 0..count.min(length)),
            Self::Right => part(&text(0), number(1)?, |length, count| length.saturating_sub(count)..length),
            Self::Substring => {
                let most = arguments.get(2).map(Value::integer).transpose()?;
                substring(&text(0), number(1)?, most)
            }
            Self::Abs => match number(0)?.checked_abs() {
                Some(number) => Value::Integer(number).into(),
                None => Evaluation { value: Value::Integer(i32::MAX), error: Some(Error::Math) },
            },
            Self::Int => Value::Integer(number(0)?).into(),
            Self::Bool => match arguments.first() {
                Some(Value::Integer(number)) => Value::Boolean(*number != 0).into(),
                Some(other) => Value::Boolean(other.boolean()?).into(),
                None => Value::Boolean(false).into(),
            },
            Self::String => Value::String(text(0)).into(),
            Self::IsInt => Value::Boolean(number(0).is_ok()).into(),
            Self::IsBool => {
                let is = |value: &Value| matches!(value, Value::Integer(_)) || value.boolean().is_ok();
                Value::Boolean(arguments.first().is_some_and(is)).into()
            }
        })
    }
}

/// So many characters at one end; a negative number gives the whole text and an error.
fn part(text: &str, count: i32, range: impl Fn(usize, usize) -> std::ops::Range<usize>) -> Evaluation {
    let Ok(count) = usize::try_from(count) else {
        return Evaluation { value: Value::String(text.to_owned()), error: Some(Error::FunctionEvaluation) };
    };
    let range = range(text.chars().count(), count);
    Value::String(text.chars().skip(range.start).take(range.len()).collect()).into()
}

/// The characters from a place on, counted from 1, or from the end where it is negative. Nothing is at place 0.
fn substring(text: &str, place: i32, most: Option<i32>) -> Evaluation {
    let failed = Evaluation::failed(Type::String, Error::FunctionEvaluation);
    let length = text.chars().count();
    let distance = usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX);
    let most = match most.map(usize::try_from) {
        Some(Err(_)) => return failed,
        Some(Ok(most)) => most,
        None => length,
    };
    if place == 0 {
        return Value::String(String::new()).into();
    }
    // One place beyond the end there is nothing, which is no mistake.
    let skipped = if place > 0 { Some(distance - 1) } else { length.checked_sub(distance) };
    let Some(skipped) = skipped.filter(|skipped| *skipped <= length) else { return failed };
    Value::String(text.chars().skip(skipped).take(most).collect()).into()
}
