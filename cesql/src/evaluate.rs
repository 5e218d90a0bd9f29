//! What an expression is worth for an event.

use crate::expression::{Expression, Node};
use crate::operator::Operator;
use crate::value::{Type, Value};
use crate::{Attributes, Error};

/// A value, and what went wrong on the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The value; where it could not be had, the zero value of its type.
    pub value: Value,
    /// The first error.
    pub error: Option<Error>,
}

impl Evaluation {
    pub(crate) fn failed(of: Type, error: Error) -> Self {
        Self { value: of.zero(), error: Some(error) }
    }

    /// Whether a filter passes the event.
    pub fn passes(&self) -> bool {
        self.error.is_none() && self.value == Value::Boolean(true)
    }

    /// The value, or the error as what the enclosing expression of this type becomes.
    fn value_in(self, enclosing: Type) -> Result<Value, Self> {
        match self.error {
            None => Ok(self.value),
            Some(error) => Err(Self::failed(enclosing, error)),
        }
    }
}

impl From<Value> for Evaluation {
    fn from(value: Value) -> Self {
        Self { value, error: None }
    }
}

/// Evaluates an expression. An operand that fails makes its expression the zero value of that expression's type, and
/// nothing further of it is evaluated (CESQL, sections 3.2 and 3.3).
pub fn evaluate(expression: &Expression, event: &impl Attributes) -> Evaluation {
    evaluated(expression, event).unwrap_or_else(|failed| failed)
}

fn evaluated(expression: &Expression, event: &impl Attributes) -> Result<Evaluation, Evaluation> {
    let boolean = |expression| evaluate(expression, event).value_in(Type::Boolean);
    Ok(match &expression.node {
        Node::Literal(value) => value.clone().into(),
        Node::Attribute(name) => match event.attribute(name) {
            Some(value) => value.into(),
            None => Evaluation::failed(Type::Boolean, Error::MissingAttribute),
        },
        Node::Exists(name) => Value::Boolean(event.attribute(name).is_some()).into(),
        Node::Not(inner) => {
            let cast = boolean(inner)?.boolean();
            Evaluation { value: Value::Boolean(!cast.unwrap_or(false)), error: cast.err() }
        }
        Node::Negative(inner) => {
            let number = evaluate(inner, event).value_in(Type::Integer)?.integer();
            let negative = number.and_then(|number| number.checked_neg().ok_or(Error::Math));
            of(Type::Integer, negative.map(Value::Integer))
        }
        Node::Binary(operator @ (Operator::And | Operator::Or | Operator::Xor), left, right) => {
            logic(*operator, &boolean(left)?, || boolean(right))?
        }
        Node::Binary(operator, left, right) => {
            let kind = if is_math(*operator) { Type::Integer } else { Type::Boolean };
            let left = evaluate(left, event).value_in(kind)?;
            let right = evaluate(right, event).value_in(kind)?;
            let result =
                if is_math(*operator) { math(*operator, &left, &right) } else { compare(*operator, &left, &right) };
            of(kind, result)
        }
        Node::Like(inner, pattern, negated) => Value::Boolean(pattern.fits(&boolean(inner)?.text()) != *negated).into(),
        Node::In(inner, set, negated) => {
            let value = boolean(inner)?;
            let mut found = false;
            for item in set {
                let item = boolean(item)?.cast(value.of_type());
                found = item.map_err(|error| Evaluation::failed(Type::Boolean, error))? == value;
                if found {
                    break;
                }
            }
            Value::Boolean(found != *negated).into()
        }
        Node::Call(None, _) => Evaluation::failed(Type::Boolean, Error::MissingFunction),
        Node::Call(Some(function), arguments) => {
            let arguments = arguments.iter().map(|argument| evaluate(argument, event).value_in(function.result()));
            function.call(&arguments.collect::<Result<Vec<_>, _>>()?)
        }
    })
}

fn of(kind: Type, result: Result<Value, Error>) -> Evaluation {
    result.map_or_else(|error| Evaluation::failed(kind, error), Evaluation::from)
}

/// The right operand is looked at only where the left one does not settle it.
fn logic(
    operator: Operator,
    left: &Value,
    right: impl FnOnce() -> Result<Value, Evaluation>,
) -> Result<Evaluation, Evaluation> {
    let cast = |value: &Value| value.boolean().map_err(|error| Evaluation::failed(Type::Boolean, error));
    let left = cast(left)?;
    let settled = match operator {
        Operator::And => !left,
        Operator::Or => left,
        _ => false,
    };
    if settled {
        return Ok(Value::Boolean(left).into());
    }
    let right = cast(&right()?)?;
    Ok(Value::Boolean(if operator == Operator::Xor { left != right } else { right }).into())
}

fn is_math(operator: Operator) -> bool {
    use Operator::{Divide, Minus, Modulo, Plus, Times};
    matches!(operator, Plus | Minus | Times | Divide | Modulo)
}

fn math(operator: Operator, left: &Value, right: &Value) -> Result<Value, Error> {
    let (left, right) = (left.integer()?, right.integer()?);
    let result = match operator {
        Operator::Plus => left.checked_add(right),
        Operator::Minus => left.checked_sub(right),
        Operator::Times => left.checked_mul(right),
        Operator::Divide => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    result.map(Value::Integer).ok_or(Error::Math)
}

/// For equality the left operand takes the right one's type; order is of numbers only.
fn compare(operator: Operator, left: &Value, right: &Value) -> Result<Value, Error> {
    let holds = match operator {
        Operator::Equal => left.cast(right.of_type())? == *right,
        Operator::NotEqual => left.cast(right.of_type())? != *right,
        _ => {
            let (left, right) = (left.integer()?, right.integer()?);
            match operator {
                Operator::Less => left < right,
                Operator::LessOrEqual => left <= right,
                Operator::Greater => left > right,
                _ => left >= right,
            }
        }
    };
    Ok(Value::Boolean(holds))
}
