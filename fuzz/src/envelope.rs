//! A message as text, which a fuzzer changes to another message more often than not: lines up to an empty one, then a
//! body.

/// The lines, and what follows the empty line.
pub(crate) fn split(bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let (mut lines, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    (lines, rest)
}

/// `name: value`; none without a colon.
pub(crate) fn field(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    Some((std::str::from_utf8(name).ok()?.trim(), value.get(1..).unwrap_or_default().trim_ascii()))
}
