//! Which bytes may stand where in an HTTP/1 message (RFC 9110, section 5.6.2; RFC 3986; RFC 9112, section 3).

/// One flag for each value of a byte.
pub(super) type Table = [bool; 256];

/// `tchar`: method, header name.
pub(super) const TOKEN: Table = table(b"!#$%&'*+-.^_`|~");

/// The path of a request target. Beside RFC 3986 the few that browsers leave unencoded; a backslash is not among
/// them, as servers disagree on whether it is a slash.
pub(super) const PATH: Table = table(b"-._~%!$&'()*+,;=:@/{}|^[]");

/// The query of a request target.
pub(super) const QUERY: Table = table(b"-._~%!$&'()*+,;=:@/{}|^[]?\\`");

/// A host name: `unreserved` alone. Percent-encoding and `sub-delims` name no service, and servers disagree on them.
pub(super) const HOST: Table = table(b"-._~");

/// Whether a byte is in the table.
pub(super) fn contains(table: &Table, byte: u8) -> bool {
    table.get(usize::from(byte)).copied().unwrap_or(false)
}

/// Whether all bytes are in the table.
pub(super) fn all(table: &Table, bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| contains(table, byte))
}

/// Whether a byte may stand in a header value: visible, blank, tab or `obs-text`.
pub(super) fn is_value(byte: u8) -> bool {
    (byte >= b' ' && byte != 0x7f) || byte == b'\t'
}

/// Whether all bytes may stand in a header value. Looks at every byte, which compilers turn into vector code.
pub(super) fn all_value(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |so_far, &byte| so_far & is_value(byte))
}

/// Without blanks and tabs at both ends (`OWS`), and how many stood in front.
pub(super) fn trim(bytes: &[u8]) -> (&[u8], usize) {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let front = bytes.iter().take_while(|byte| blank(byte)).count();
    let rest = bytes.get(front..).unwrap_or_default();
    let back = rest.iter().rev().take_while(|byte| blank(byte)).count();
    (rest.get(..rest.len() - back).unwrap_or_default(), front)
}

const fn table(others: &[u8]) -> Table {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}
