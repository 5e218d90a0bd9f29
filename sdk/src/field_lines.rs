//! All headers of a message in one piece of text.

use crate::decision::Header;

/// All headers of a request, in order, in one piece: cheaper than a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldLines(Vec<u8>);

impl FieldLines {
    pub(crate) fn new(lines: Vec<u8>) -> Self {
        Self(lines)
    }

    /// Names in lower case, and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        // A line feed ends each line, and is in none (RFC 9110, section 5.5).
        self.0.split(|&byte| byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let (name, rest) = line.split_at(colon);
            Some((std::str::from_utf8(name).ok()?, rest.strip_prefix(b": ")?))
        })
    }

    /// Copies of them.
    pub(crate) fn headers(&self) -> Vec<Header> {
        self.iter().map(|(name, value)| Header { name: name.to_owned(), value: value.to_vec() }).collect()
    }
}

impl From<&[Header]> for FieldLines {
    fn from(headers: &[Header]) -> Self {
        let mut lines =
            Vec::with_capacity(headers.iter().map(|header| header.name.len() + header.value.len() + 3).sum());
        // A value with a line feed is none, and would become two.
        for Header { name, value } in headers.iter().filter(|header| !header.value.contains(&b'\n')) {
            for part in [name.as_bytes(), b": ", value, b"\n"] {
                lines.extend_from_slice(part);
            }
        }
        Self(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were_whatever_is_in_a_value() {
        let header = |name: &str, value: &[u8]| Header { name: name.into(), value: value.to_vec() };
        let headers = vec![
            header("host", b"shop:8080"),
            header("x-empty", b""),
            header("x-colon", b": a: b "),
            header("x-tab", b"a\tb"),
            header("x-latin", &[0xe9, 0xff]),
            header("x-colon", b"again"),
        ];
        let lines = FieldLines::from(headers.as_slice());
        let names = |headers: &[Header]| {
            headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect::<Vec<_>>()
        };
        assert_eq!(names(&lines.headers()), names(&headers));
        assert_eq!(FieldLines::new(Vec::new()).iter().count(), 0);
    }
}
