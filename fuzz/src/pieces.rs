//! How bytes are cut into reads: in a way that only they decide, so that a target is the same each time it is run.

/// Pieces of 1 to 16 bytes, mostly; whole for one text in four.
pub(crate) fn of(bytes: &[u8]) -> Vec<&[u8]> {
    let mut state = seed(bytes);
    if state.is_multiple_of(4) {
        return vec![bytes];
    }
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        state = next(state);
        let length = usize::from(state.to_le_bytes()[5] % 16) + 1;
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// A number that depends on every byte (FNV-1a).
pub(crate) fn seed(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The next number of a sequence (Knuth's MMIX).
pub(crate) fn next(state: u64) -> u64 {
    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}
