//! An expression's text as tokens.

use crate::ParseError;

/// The longest expression, in bytes: a page of text. It bounds how deep a chain of operators can be.
const LONGEST: usize = 4096;

/// A token with the character that it begins at, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) column: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a keyword, as it was written.
    Word(String),
    /// Digits. `-2147483648` is one more than 32 bits hold before its sign is there.
    Integer(i64),
    /// A text without its quotes; escapes that are none are kept.
    String(String),
    /// An operator, a parenthesis or a comma.
    Symbol(&'static str),
    End,
}

impl Kind {
    /// The token as a reader would name it.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Integer(number) => format!("`{number}`"),
            Self::String(text) => format!("the text {text:?}"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Longer ones first, as one may begin with another.
const SYMBOLS: [&str; 14] = ["!=", "<>", "<=", ">=", "<", ">", "=", "+", "-", "*", "/", "%", "(", ")"];

/// All tokens of an expression; the last is the end.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    if text.len() > LONGEST {
        let reason = format!("the expression has {} bytes; {LONGEST} are the most", text.len());
        return Err(ParseError { column: 1, reason });
    }
    let mut lexer = Lexer { rest: text, column: 1 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let end = token.kind == Kind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    column: usize,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Token, ParseError> {
        self.take(self.rest.len() - self.rest.trim_start().len());
        let column = self.column;
        let Some(first) = self.rest.chars().next() else { return Ok(Token { kind: Kind::End, column }) };
        let kind = match first {
            '\'' | '"' => self.string(first)?,
            ',' => {
                self.take(1);
                Kind::Symbol(",")
            }
            _ if is_word(first) => self.word()?,
            _ => {
                let symbol = SYMBOLS.into_iter().find(|symbol| self.rest.starts_with(symbol));
                let symbol =
                    symbol.ok_or_else(|| ParseError { column, reason: format!("{first:?} means nothing here") })?;
                self.take(symbol.len());
                Kind::Symbol(symbol)
            }
        };
        Ok(Token { kind, column })
    }

    fn word(&mut self) -> Result<Kind, ParseError> {
        let column = self.column;
        let length = self.rest.find(|character| !is_word(character)).unwrap_or(self.rest.len());
        let word = self.take(length);
        if !word.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Kind::Word(word.to_owned()));
        }
        let number = word.parse().ok().filter(|number| *number <= i64::from(i32::MAX) + 1);
        let number = number.ok_or_else(|| ParseError { column, reason: format!("{word} is beyond 32 bits") })?;
        Ok(Kind::Integer(number))
    }

    fn string(&mut self, quote: char) -> Result<Kind, ParseError> {
        let column = self.column;
        let (mut text, mut escaped) = (String::new(), false);
        for (index, character) in self.rest.char_indices().skip(1) {
            if escaped {
                // Only quotes are escaped here; the others are for LIKE to read.
                if character != quote {
                    text.push('\\');
                }
                text.push(character);
                escaped = false;
            } else if character == '\\' {
                escaped = true;
            } else if character == quote {
                self.take(index + character.len_utf8());
                return Ok(Kind::String(text));
            } else {
                text.push(character);
            }
        }
        Err(ParseError { column, reason: format!("the text has no closing {quote}") })
    }

    /// Goes on by so many bytes, which are whole characters.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.column += taken.chars().count();
        taken
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}
