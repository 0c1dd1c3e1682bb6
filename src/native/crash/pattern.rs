//! Bytes that debugging allocators write into memory that nobody owns: CPython's debug hooks
//! (Objects/obmalloc.c: DEADBYTE, CLEANBYTE, FORBIDDENBYTE; other values before 3.8).

use crate::addr::Addr;

/// The byte, and what memory that is full of it is.
const BYTES: &[(u8, &str)] = &[
    (0xdd, "memory that was freed (pymalloc's debug hooks, 3.8+)"),
    (
        0xdb,
        "memory that was freed (pymalloc's debug hooks, before 3.8)",
    ),
    (
        0xcd,
        "memory that was allocated but never set (pymalloc's debug hooks, 3.8+)",
    ),
    (
        0xcb,
        "memory that was allocated but never set (pymalloc's debug hooks, before 3.8)",
    ),
    (
        0xfd,
        "the forbidden bytes around a block (pymalloc's debug hooks, 3.8+)",
    ),
    (
        0xfb,
        "the forbidden bytes around a block (pymalloc's debug hooks, before 3.8)",
    ),
];

/// What a pointer is that consists of one such byte, but for its lowest two bytes, to which
/// something may have been added.
pub(super) fn explain(pointer: Addr) -> Option<String> {
    let bytes = pointer.0.to_le_bytes();
    let [.., last] = bytes;
    let (_, words) = BYTES.iter().find(|(byte, _)| *byte == last)?;
    let uniform = bytes.iter().skip(2).all(|byte| *byte == last);
    uniform.then(|| format!("a pointer {pointer} is what lies in {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_told_with_something_added() {
        let words = |value| explain(Addr(value)).unwrap_or_default();
        assert!(words(0xdddd_dddd_dddd_dddd).contains("freed"));
        assert!(words(0xcdcd_cdcd_cdcd_cdd5).contains("never set"));
        assert_eq!(words(0xdddd_dddd_0000_dddd), "");
        assert_eq!(words(0x7fdd_dddd_dddd_dddd), "");
    }
}
