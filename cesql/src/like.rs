//! Patterns of `LIKE`.

/// A pattern: `%` is any run of characters, `_` is one, a backslash before either takes its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Exactly(char),
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            parts.push(match character {
                '%' => Part::Any,
                '_' => Part::One,
                '\\' => Part::Exactly(characters.next_if(|next| matches!(next, '%' | '_' | '\\')).unwrap_or('\\')),
                other => Part::Exactly(other),
            });
        }
        Self(parts)
    }

    /// Whether a whole text fits. Takes no more than the product of both lengths.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut place, mut part) = (0, 0);
        // The last `%` and how much of the text it covers so far; nothing before it has to be tried again.
        let mut run: Option<(usize, usize)> = None;
        while let Some(&character) = text.get(place) {
            match self.0.get(part) {
                Some(Part::Any) => {
                    part += 1;
                    run = Some((part, place));
                }
                Some(Part::One) => (place, part) = (place + 1, part + 1),
                Some(Part::Exactly(expected)) if *expected == character => (place, part) = (place + 1, part + 1),
                _ => {
                    let Some((after, covered)) = run else { return false };
                    run = Some((after, covered + 1));
                    (place, part) = (covered + 1, after);
                }
            }
        }
        self.0.iter().skip(part).all(|part| *part == Part::Any)
    }
}
