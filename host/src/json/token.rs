//! Tokens that stand whole in the bytes at hand, which most do: read in one go rather than byte by byte.
//!
//! Every function returns how many bytes the token has, or 0 when it does not end within them: then it is read byte by
//! byte, as it is when something is wrong with it, which leaves all judgement to one place.

/// A string, from its first quote to its last. Escapes that name characters by their number are left to the careful way.
#[inline]
pub(super) fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(rest) = bytes.get(at..) {
        at += plain_text(rest);
        match bytes.get(at..) {
            Some([b'"', ..]) => return at + 1,
            Some(
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] | [0xc2..=0xdf, 0x80..=0xbf, ..],
            ) => at += 2,
            Some(
                [0xe0, 0xa0..=0xbf, 0x80..=0xbf, ..]
                | [0xe1..=0xec | 0xee..=0xef, 0x80..=0xbf, 0x80..=0xbf, ..]
                | [0xed, 0x80..=0x9f, 0x80..=0xbf, ..],
            ) => at += 3,
            _ => return 0,
        }
    }
    0
}

/// A number without an exponent, with the byte that ends it in sight.
#[inline]
pub(super) fn number(bytes: &[u8]) -> usize {
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let mut end = match bytes.get(sign) {
        Some(b'0') => sign + 1,
        Some(b'1'..=b'9') => sign + digits(sign),
        _ => return 0,
    };
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 {
            return 0;
        }
        end += 1 + fraction;
    }
    match bytes.get(end) {
        Some(b'e' | b'E') | None => 0,
        Some(_) => end,
    }
}

/// `true`, `false` or `null`.
#[inline]
pub(super) fn word(bytes: &[u8]) -> usize {
    match bytes {
        [b't', b'r', b'u', b'e', ..] | [b'n', b'u', b'l', b'l', ..] => 4,
        [b'f', b'a', b'l', b's', b'e', ..] => 5,
        _ => 0,
    }
}

/// White space.
#[inline]
pub(super) fn space(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// How many bytes of a string come before anything that is not plain ASCII text: eight at a time, as most of a text is.
#[inline]
pub(super) fn plain_text(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = specials(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let plain = |byte: &&u8| matches!(**byte, b' '..0x80) && !matches!(**byte, b'"' | b'\\');
    words.len() * 8 + rest.iter().take_while(plain).count()
}

/// Has the high bit of the word's first byte set that is a quote, a backslash, a control character or outside of ASCII;
/// nothing is set before that byte.
fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    // A byte below `n` borrows from its high bit; what has it set already is outside of ASCII anyway.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (word | below(word, 0x20) | is(b'"') | is(b'\\')) & HIGH
}

/// How many bytes come before a quote or a bracket of an array or an object.
#[inline]
pub(super) fn until_nesting(bytes: &[u8]) -> usize {
    let is = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
    bytes.iter().position(is).unwrap_or(bytes.len())
}
