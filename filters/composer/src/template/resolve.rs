//! Looks up what a template names, and takes down what it uses.

use super::parse::{self, Operand as WrittenOperand, Segment, Written};
use super::{Chain, Operand, Piece, Reference, Source, Step, Text};
use crate::code;
use crate::report::{Place, Report, did_you_mean};
use crate::schema::Shape;

/// The longest template text, in bytes: a long sentence. What is longer is data, which belongs into a service.
const TEXT_LENGTH: usize = 4 << 10;
/// What a request has.
const REQUEST: [&str; 7] = ["body", "header", "host", "id", "method", "path", "query"];
/// What a call has.
const CALL: [&str; 4] = ["body", "error", "header", "status"];
/// What stands for all failures.
pub const ERRORS: &str = "errors";
/// The request.
pub const REQUEST_NAME: &str = "request";

/// The names that templates may use.
#[derive(Debug, Default)]
pub struct Names {
    /// The parameters of the path.
    pub path: Vec<String>,
    /// What is known of the request's body.
    pub body: Option<Shape>,
    /// The calls.
    pub calls: Vec<CallName>,
}

/// A call, as far as templates speak of it.
#[derive(Debug)]
pub struct CallName {
    /// Its name.
    pub name: String,
    /// What is known of its body.
    pub shape: Shape,
    /// Whether it has one answer, and so a status and headers.
    pub single: bool,
}

/// Something that a template uses.
#[derive(Debug, Clone)]
pub struct Use {
    /// Where it comes from.
    pub source: Source,
    /// Whether it is taken as a whole, at a place of the answer where nothing looks at it.
    pub whole: bool,
    /// Whether something else stands in when it is missing.
    pub fallback: bool,
    /// Where it is used.
    pub place: Place,
}

/// Resolves the templates of one place of a document, such as a call.
#[derive(Debug)]
pub struct Resolver<'n, 'r, 'd> {
    /// The names.
    pub names: &'n Names,
    /// Where findings go.
    pub report: &'r mut Report<'d>,
    /// Items in scope: name, and what is known of each.
    pub items: Vec<(String, Shape)>,
    /// What was used so far.
    pub uses: Vec<Use>,
    /// Parts of templates that were made so far.
    pub nodes: usize,
}

impl<'n, 'r, 'd> Resolver<'n, 'r, 'd> {
    /// A resolver without items.
    pub fn new(names: &'n Names, report: &'r mut Report<'d>) -> Self {
        Self { names, report, items: Vec::new(), uses: Vec::new(), nodes: 0 }
    }

    /// A text whose values are written as text.
    pub fn text(&mut self, written: &str, place: &Place) -> Text {
        let mut pieces = Vec::new();
        for piece in self.parse(written, place) {
            pieces.push(match piece {
                parse::Piece::Literal(text) => Piece::Literal(text),
                parse::Piece::Value(operands, written) => Piece::Value(self.chain(operands, written, false, place).0),
            });
        }
        Text(pieces)
    }

    /// The pieces of a text; none when it cannot be read.
    pub fn parse(&mut self, written: &str, place: &Place) -> Vec<parse::Piece> {
        if written.len() > TEXT_LENGTH {
            let message = format!("the template is over {TEXT_LENGTH} bytes");
            self.report.error(place, code::LIMIT, message, "let a service answer long texts");
            return Vec::new();
        }
        parse::parse(written).unwrap_or_else(|error| {
            let message = format!("the template breaks off at character {}: {}", error.at, error.message);
            let help = "values stand in braces, such as `{request.path.id}` or `{order.body.items[0] ?? 'none'}`";
            self.report.error(place, code::TEMPLATE, message, help);
            Vec::new()
        })
    }

    /// The values in one pair of braces, and what is known of them.
    pub fn chain(
        &mut self,
        operands: Vec<WrittenOperand>,
        written: String,
        whole: bool,
        place: &Place,
    ) -> (Chain, Shape) {
        let last = operands.len().saturating_sub(1);
        let ends_in_literal = matches!(operands.last(), Some(WrittenOperand::Literal(text)) if text != "null");
        let mut resolved = Vec::with_capacity(operands.len());
        let mut shape = Shape::Any;
        for (index, operand) in operands.into_iter().enumerate() {
            match operand {
                WrittenOperand::Literal(text) => resolved.push(Operand::Literal(text)),
                WrittenOperand::Reference(reference) => {
                    let fallback = index < last || ends_in_literal;
                    // An alternative is asked whether it is `null`, so it has to be looked at.
                    if let Some((reference, known)) = self.reference(&reference, whole && last == 0, fallback, place) {
                        shape = if last == 0 { known } else { Shape::Any };
                        resolved.push(Operand::Reference(reference));
                    }
                }
            }
        }
        (Chain { operands: resolved, written }, shape)
    }

    fn reference(
        &mut self,
        written: &Written,
        whole: bool,
        fallback: bool,
        place: &Place,
    ) -> Option<(Reference, Shape)> {
        let (source, mut shape, rest) = self.source(written, place)?;
        let mut steps = Vec::with_capacity(rest.len());
        for segment in rest {
            steps.push(match segment {
                Segment::Name(name) => match shape.member(name) {
                    Ok(member) => {
                        shape = member;
                        Step::Member(name.clone())
                    }
                    Err((message, help)) => {
                        let is_plain = matches!(shape, Shape::Plain);
                        let code = if is_plain { code::NOT_AN_OBJECT } else { code::UNKNOWN_FIELD };
                        self.report.error(place, code, message, help);
                        return None;
                    }
                },
                Segment::Index(index) => {
                    let Some(element) = shape.element() else {
                        let message = format!("`[{index}]` takes an element, and the schema has no list here");
                        self.report.error(place, code::NOT_A_LIST, message, "name a member with `.name`");
                        return None;
                    };
                    shape = element;
                    Step::Element(*index)
                }
                Segment::Reference(inner) => {
                    let (inner, _) = self.reference(inner, false, fallback, place)?;
                    shape = Shape::Any;
                    Step::Named(Box::new(inner))
                }
            });
        }
        let whole = whole && steps.is_empty();
        self.uses.push(Use { source: source.clone(), whole, fallback, place: place.clone() });
        Some((Reference { source, steps }, shape))
    }

    /// Where a reference begins, what is known of it, and the segments that are still to be walked.
    fn source<'w>(&mut self, written: &'w Written, place: &Place) -> Option<(Source, Shape, &'w [Segment])> {
        let segments = written.segments.as_slice();
        if let Some(slot) = self.items.iter().rposition(|(name, _)| *name == written.name) {
            let shape = self.items.get(slot).map_or(Shape::Any, |(_, shape)| shape.clone());
            return Some((Source::Item(slot), shape, segments));
        }
        if written.name == REQUEST_NAME {
            return self.of_request(segments, place);
        }
        if written.name == ERRORS {
            return Some((Source::Errors, Shape::Any, segments));
        }
        let names = self.names;
        if let Some((index, call)) = names.calls.iter().enumerate().find(|(_, call)| call.name == written.name) {
            return self.of_call(index, call, segments, place);
        }
        let items = self.items.iter().map(|(name, _)| name.as_str());
        let calls = names.calls.iter().map(|call| call.name.as_str());
        let help = did_you_mean(&written.name, [REQUEST_NAME, ERRORS].into_iter().chain(items).chain(calls));
        let message = format!("`{}` is neither a call nor the request", written.name);
        self.report.error(place, code::UNKNOWN_NAME, message, help);
        None
    }

    fn of_request<'w>(&mut self, segments: &'w [Segment], place: &Place) -> Option<(Source, Shape, &'w [Segment])> {
        let (field, rest) = self.field("the request", &REQUEST, segments, place)?;
        let source = match field {
            "body" => return Some((Source::Body, self.names.body.clone().unwrap_or(Shape::Any), rest)),
            "host" => Source::Host,
            "id" => Source::Id,
            "method" => Source::Method,
            _ => {
                let Some((Segment::Name(name), rest)) = rest.split_first() else {
                    let message = format!("`request.{field}` has to be followed by a name");
                    self.report.error(place, code::TEMPLATE, message, format!("write `request.{field}.NAME`"));
                    return None;
                };
                let source = match field {
                    "query" => Source::Query(name.clone()),
                    "header" => Source::Header(name.to_ascii_lowercase()),
                    _ => Source::Path(self.parameter(name, place)?),
                };
                return Some((source, Shape::Plain, rest));
            }
        };
        Some((source, Shape::Plain, rest))
    }

    fn parameter(&mut self, name: &str, place: &Place) -> Option<usize> {
        let found = self.names.path.iter().position(|known| known == name);
        if found.is_none() {
            let message = format!("the path of the composition has no parameter `{name}`");
            let help = did_you_mean(name, self.names.path.iter().map(String::as_str));
            self.report.error(place, code::UNKNOWN_NAME, message, help);
        }
        found
    }

    fn of_call<'w>(
        &mut self,
        index: usize,
        call: &CallName,
        segments: &'w [Segment],
        place: &Place,
    ) -> Option<(Source, Shape, &'w [Segment])> {
        let (field, rest) = self.field(&format!("the call `{}`", call.name), &CALL, segments, place)?;
        if field != "body" && field != "error" && !call.single {
            let message = format!("`{}` has several answers, so there is no one {field} of them", call.name);
            self.report.error(place, code::UNKNOWN_FIELD, message, "use the body, which is the list of all bodies");
            return None;
        }
        match field {
            "body" => Some((Source::CallBody(index), call.shape.clone(), rest)),
            "status" => Some((Source::CallStatus(index), Shape::Plain, rest)),
            "error" => Some((Source::CallError(index), Shape::Any, rest)),
            _ => {
                let Some((Segment::Name(name), rest)) = rest.split_first() else {
                    let message = format!("`{}.header` has to be followed by a name", call.name);
                    self.report.error(place, code::TEMPLATE, message, format!("write `{}.header.NAME`", call.name));
                    return None;
                };
                Some((Source::CallHeader(index, name.to_ascii_lowercase()), Shape::Plain, rest))
            }
        }
    }

    /// The first segment, which has to be one of these fields, and the rest.
    fn field<'w>(
        &mut self,
        owner: &str,
        fields: &[&'static str],
        segments: &'w [Segment],
        place: &Place,
    ) -> Option<(&'static str, &'w [Segment])> {
        let name = match segments.first() {
            Some(Segment::Name(name)) => name.as_str(),
            _ => "",
        };
        if let Some(field) = fields.iter().find(|field| **field == name) {
            return Some((field, segments.get(1..).unwrap_or_default()));
        }
        let message = match name {
            "" => format!("one of the fields of {owner} has to be named"),
            name => format!("{owner} has no field `{name}`"),
        };
        self.report.error(place, code::UNKNOWN_FIELD, message, did_you_mean(name, fields.iter().copied()));
        None
    }
}
