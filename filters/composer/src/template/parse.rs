//! Reads the text of a template: `{` VALUE [ `??` VALUE ... ] `}` in plain text, with `{{` and `}}` for braces.
//!
//! A value is a literal (`'text'`, `"text"`, a number, `true`, `false`, `null`) or a name followed by `.name`, `[number]`,
//! `["name"]` and `[name.name]`. Names are not looked up here.

/// A piece of a template's text.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Text as it is.
    Literal(String),
    /// The values in braces, and what stands between them.
    Value(Vec<Operand>, String),
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// JSON text.
    Literal(String),
    /// A name with steps.
    Reference(Written),
}

/// A reference as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The first name.
    pub name: String,
    /// What follows.
    pub segments: Vec<Segment>,
}

/// A step as it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    /// `.name` or `["name"]`.
    Name(String),
    /// `[number]`.
    Index(i64),
    /// `[name.name]`.
    Reference(Written),
}

/// What is wrong with a template's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Where, counted in characters from 1.
    pub at: usize,
    /// What was found and what was expected.
    pub message: String,
}

/// References within brackets of references: more is not readable.
const NESTING: usize = 4;

/// Reads a template.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut reader = Reader { text, at: 0 };
    let mut pieces = Vec::new();
    let mut literal = String::new();
    while let Some(letter) = reader.next() {
        match letter {
            '{' | '}' if reader.peek() == Some(letter) => {
                reader.next();
                literal.push(letter);
            }
            '{' => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                let start = reader.at;
                let operands = reader.chain()?;
                let written = text.get(start..reader.at.saturating_sub(1)).unwrap_or_default().trim().to_owned();
                pieces.push(Piece::Value(operands, written));
            }
            '}' => return Err(reader.error_before("a `}` without a `{` before it: write `}}` for the brace itself")),
            letter => literal.push(letter),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

struct Reader<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl Reader<'_> {
    /// The values up to the closing brace, which is taken too.
    fn chain(&mut self) -> Result<Vec<Operand>, TemplateError> {
        let mut operands = Vec::new();
        loop {
            self.skip_space();
            operands.push(self.operand()?);
            self.skip_space();
            match self.next() {
                Some('}') => return Ok(operands),
                Some('?') if self.peek() == Some('?') => {
                    self.next();
                }
                Some(other) => {
                    return Err(self.error_before(&format!("`{other}` where `}}`, `.`, `[` or `??` can stand")));
                }
                None => return Err(self.error("the `{` is not closed: write `{{` for the brace itself")),
            }
        }
    }

    fn operand(&mut self) -> Result<Operand, TemplateError> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => Ok(Operand::Literal(sluicegate_sdk::json::string(&self.quoted(quote)?))),
            Some(letter) if letter.is_ascii_digit() || letter == '-' => self.number().map(Operand::Literal),
            Some(_) => {
                let written = self.reference(0)?;
                match written.name.as_str() {
                    "true" | "false" | "null" if written.segments.is_empty() => Ok(Operand::Literal(written.name)),
                    _ => Ok(Operand::Reference(written)),
                }
            }
            None => Err(self.error("the `{` is not closed: write `{{` for the brace itself")),
        }
    }

    fn reference(&mut self, depth: usize) -> Result<Written, TemplateError> {
        if depth > NESTING {
            return Err(self.error("references are nested too deeply"));
        }
        let name = self.name()?;
        let mut segments = Vec::new();
        loop {
            match self.peek() {
                Some('.') => {
                    self.next();
                    segments.push(Segment::Name(self.name()?));
                }
                Some('[') => {
                    self.next();
                    segments.push(self.bracket(depth)?);
                }
                _ => return Ok(Written { name, segments }),
            }
        }
    }

    fn bracket(&mut self, depth: usize) -> Result<Segment, TemplateError> {
        self.skip_space();
        let segment = match self.peek() {
            Some(quote @ ('"' | '\'')) => Segment::Name(self.quoted(quote)?),
            Some(letter) if letter.is_ascii_digit() || letter == '-' => {
                let number = self.number()?;
                Segment::Index(number.parse().map_err(|_| self.error_before("an index is a whole number"))?)
            }
            _ => Segment::Reference(self.reference(depth + 1)?),
        };
        self.skip_space();
        match self.next() {
            Some(']') => Ok(segment),
            Some(_) => Err(self.error_before("a `]` is missing")),
            None => Err(self.error("a `]` is missing")),
        }
    }

    fn name(&mut self) -> Result<String, TemplateError> {
        let name = self.take(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-');
        match (name.is_empty(), self.peek()) {
            (false, _) => Ok(name),
            (true, Some(found)) => Err(self.error(&format!("`{found}` where a name was expected"))),
            (true, None) => Err(self.error("the text ends where a name was expected")),
        }
    }

    fn number(&mut self) -> Result<String, TemplateError> {
        let start = self.at;
        let number = self.take(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '+' | '.'));
        if serde_json::from_str::<serde_json::Number>(&number).is_ok() {
            return Ok(number);
        }
        self.at = start;
        Err(self.error(&format!("`{number}` is not a number; names that begin with a digit stand in `[\"…\"]`")))
    }

    fn quoted(&mut self, quote: char) -> Result<String, TemplateError> {
        self.next();
        let text = self.take(|letter| letter != quote);
        match self.next() {
            Some(_) => Ok(text),
            None => Err(self.error(&format!("the {quote} is not closed"))),
        }
    }

    fn take(&mut self, fits: impl Fn(char) -> bool) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find(|letter| !fits(letter)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default().to_owned()
    }

    fn skip_space(&mut self) {
        self.take(|letter| letter == ' ');
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// An error at the next character.
    fn error(&self, message: &str) -> TemplateError {
        let before = self.text.get(..self.at).unwrap_or_default();
        TemplateError { at: before.chars().count() + 1, message: message.to_owned() }
    }

    /// An error at the character that was taken last.
    fn error_before(&self, message: &str) -> TemplateError {
        let TemplateError { at, message } = self.error(message);
        TemplateError { at: at.saturating_sub(1).max(1), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> Vec<Operand> {
        match parse(text).expect("it is a template").as_slice() {
            [Piece::Value(operands, _)] => operands.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn reference(name: &str, segments: Vec<Segment>) -> Operand {
        Operand::Reference(Written { name: name.into(), segments })
    }

    #[test]
    fn values_stand_in_braces_within_text() {
        let name = |name: &str| Segment::Name(name.into());
        let id = reference("request", vec![name("path"), name("id")]);
        let pieces = parse("/products/{request.path.id}?").expect("it is a template");
        let expected = [
            Piece::Literal("/products/".into()),
            Piece::Value(vec![id.clone()], "request.path.id".into()),
            Piece::Literal("?".into()),
        ];
        assert_eq!(pieces, expected);
        let Operand::Reference(id) = id else { panic!("a reference") };
        assert_eq!(
            value("{ stock-2.body[0][-1][\"a.b\"][request.path.id] }"),
            [reference(
                "stock-2",
                vec![name("body"), Segment::Index(0), Segment::Index(-1), name("a.b"), Segment::Reference(id)]
            )]
        );
    }

    #[test]
    fn alternatives_end_in_a_literal_if_the_author_likes() {
        let operands = value("{a ?? b.c ?? 'none' ?? 1.5 ?? true ?? null}");
        let literals: Vec<_> = operands
            .iter()
            .filter_map(|operand| if let Operand::Literal(text) = operand { Some(text.as_str()) } else { None })
            .collect();
        assert_eq!((operands.len(), literals), (6, vec!["\"none\"", "1.5", "true", "null"]));
    }

    #[test]
    fn braces_themselves_are_doubled() {
        assert_eq!(parse("{{a}} }}{{"), Ok(vec![Piece::Literal("{a} }{".into())]));
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        for (text, at) in [
            ("{", 2),
            ("a}", 2),
            ("é{a.}", 5),
            ("{a b}", 4),
            ("{a[1}", 5),
            ("{a[1.5]}", 6),
            ("{'a}", 5),
            ("{a ? b}", 4),
            ("{}", 2),
            ("{a[b[c[d[e[f]]]]]}", 12),
            ("{01}", 2),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.at, at, "{text}: {}", error.message);
        }
    }

    proptest! {
        #[test]
        fn every_text_is_a_template_or_has_an_error_within_it(text in "[{}\\[\\].?'\" a1é-]{0,16}") {
            if let Err(error) = parse(&text) {
                prop_assert!((1..=text.chars().count() + 1).contains(&error.at), "{error:?}");
            }
        }
    }
}
