//! What memory is for, in the words of the table.

use serde::Serialize;

/// What a run of memory is for; in the order of the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Python objects that something leads to, with their tables and headers.
    Objects,
    /// Python objects that no root leads to.
    Unreached,
    /// Data that belongs to Python objects and is no part of them: of numpy arrays, byte arrays.
    Buffers,
    /// Objects that were freed and are kept for the next of their type.
    FreeLists,
    /// Blocks that CPython uses for other things than objects.
    Interpreter,
    /// Free blocks of pools (pages) of Python's allocator of which other blocks are in use.
    PoolHoles,
    /// Pools of Python's allocator without any block in use.
    EmptyPools,
    /// What Python's allocator has for its own books, and what is too small for a block.
    PoolOverhead,
    /// The stacks of Python frames.
    FrameStacks,
    /// Blocks of malloc that no Python object has.
    Native,
    /// Blocks of malloc that are free, between others.
    NativeFree,
    /// The free end of each of malloc's heaps.
    NativeTop,
    /// What malloc has for its own books.
    NativeOverhead,
    /// Memory that another allocator than glibc's or Python's serves malloc from.
    OtherMalloc,
    /// The stacks of threads.
    ThreadStacks,
    /// Code and data of programs and libraries.
    Files,
    /// Memory shared with other processes.
    Shared,
    /// Memory of which nothing is known.
    Unknown,
    /// Pages of a core that have nothing but zeros, whatever they are for.
    Zeros,
}

impl What {
    /// All there are, in the order of the table.
    pub const ALL: [What; 19] = [
        What::Objects,
        What::Unreached,
        What::Buffers,
        What::FreeLists,
        What::Interpreter,
        What::PoolHoles,
        What::EmptyPools,
        What::PoolOverhead,
        What::FrameStacks,
        What::Native,
        What::NativeFree,
        What::NativeTop,
        What::NativeOverhead,
        What::OtherMalloc,
        What::ThreadStacks,
        What::Files,
        What::Shared,
        What::Unknown,
        What::Zeros,
    ];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            What::Objects => "Python objects, alive",
            What::Unreached => "Python objects that nothing leads to",
            What::Buffers => "buffers of Python objects",
            What::FreeLists => "free lists of Python objects",
            What::Interpreter => "the interpreter's own blocks",
            What::PoolHoles => "free blocks between Python's blocks",
            What::EmptyPools => "pools without any block in use",
            What::PoolOverhead => "overhead of Python's allocator",
            What::FrameStacks => "stacks of Python frames",
            What::Native => "malloc: in use, by no Python object",
            What::NativeFree => "malloc: free, between blocks in use",
            What::NativeTop => "malloc: free, at the ends of its heaps",
            What::NativeOverhead => "malloc: overhead",
            What::OtherMalloc => "malloc: of another allocator, used and free",
            What::ThreadStacks => "stacks of threads",
            What::Files => "code and data of files",
            What::Shared => "shared memory",
            What::Unknown => "other memory",
            What::Zeros => "pages of zeros, most of them never written",
        }
    }

    /// Its place in the table.
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_place_of_its_own() {
        for (index, what) in What::ALL.into_iter().enumerate() {
            assert_eq!(what.index(), index);
        }
    }
}
