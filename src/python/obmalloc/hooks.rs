//! CPython's debug hooks around a block (Objects/obmalloc.c, `_PyMem_DebugRawAlloc`): in front its
//! size, big-endian, what it is for, and a pattern; behind it the pattern again.

use crate::bytes;

/// Bytes in front of what the program was given.
pub const HEAD: u64 = 16;

/// How many bytes the program asked for, if a block of `room` bytes that begins with `raw` has hooks.
pub fn asked(raw: &[u8], room: u64) -> Option<u64> {
    let asked = bytes::u64_at(raw, 0).map(u64::swap_bytes)?;
    let purpose = bytes::u8_at(raw, 8).is_some_and(|byte| matches!(byte, b'r' | b'm' | b'o'));
    let pattern = raw.get(9..HEAD as usize)?;
    let uniform = |byte: u8| pattern.iter().all(|found| *found == byte);
    let hooked = purpose && (uniform(0xfd) || uniform(0xfb));
    (hooked && asked.checked_add(HEAD)? <= room).then_some(asked)
}
