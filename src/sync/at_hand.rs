//! What a thread has at hand: the words in its registers and on its native stack.

use super::View;
use crate::addr::Addr;
use crate::bytes;

/// Words that a thread works with.
pub(super) struct Words {
    /// Registers, then the stack, innermost first.
    pub(super) all: Vec<Addr>,
    /// Whether that is the whole stack. One full of zeros is not: gdb's gcore leaves zeros for
    /// stacks of glibc 2.42 and later.
    pub(super) whole: bool,
}

/// The words of a thread (gdb number), of its stack at most as many bytes as `most`.
pub(super) fn of(view: &View<'_>, thread: usize, most: u64) -> Option<Words> {
    let target = &view.process.target;
    let tid = view.process.threads().get(thread.checked_sub(1)?)?.tid;
    let native = target.threads.iter().find(|native| native.tid == tid)?;
    let registers = native.registers?;
    let sp = registers.sp()?;
    let end = target.mapping(sp)?.end;
    let near = end.min(sp.add(most));
    let stack = target.memory.bytes(sp, near.since(sp)? as usize).ok()?;
    let zeros = stack.iter().all(|byte| *byte == 0);
    let words = stack
        .chunks_exact(8)
        .filter_map(|word| bytes::u64_at(word, 0));
    let registers = registers.general.into_iter().flatten();
    Some(Words {
        all: registers.chain(words).map(Addr).collect(),
        whole: near == end && !zeros,
    })
}
