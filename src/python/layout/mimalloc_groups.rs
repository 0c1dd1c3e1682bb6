//! What is read of mimalloc, which allocates the objects of free-threaded builds
//! (Include/internal/mimalloc/mimalloc/types.h): heaps of a thread, their pages, and the segments
//! that the pages lie in.

use super::fields::{Field, Group, Slot, groups};

groups! {
    /// `struct _mimalloc_thread_state` in `_PyThreadStateImpl`.
    MiThread {
        /// `mimalloc.heaps`, an array of four: memory, objects, and two of objects that the
        /// collector tracks.
        heaps: Field,
        /// `mimalloc.initialized`.
        initialized: Field,
    }

    /// `struct mi_heap_s`.
    MiHeap {
        /// `pages`, an array of queues: first page, last page, size of a block.
        pages: Field,
        /// Size of the struct.
        size: Field,
    }

    /// `struct mi_page_s`, which is also what describes a slice of a segment.
    MiPage {
        /// How many slices it has.
        slice_count: Field,
        /// Where `ob_type` of an object lies in a block.
        debug_offset: Field,
        /// How many blocks were ever given out.
        capacity: Field,
        /// How many blocks it has room for.
        reserved: Field,
        /// How many blocks are in use, with those that other threads have freed since; 32 bits, or
        /// 16 where `start` is.
        used: Field,
        /// The free blocks that are given out next.
        free: Field,
        /// Those that its thread has freed since.
        local_free: Field,
        /// Those that other threads have freed since, with flags.
        thread_free: Field,
        /// `xheap`: the heap it belongs to, while the thread of that lives.
        heap: Field,
        /// Size of a block, 32 bits; 64 bits where `start` is.
        block_size: Field,
        /// `page_start`: where the blocks begin, from 3.14 on.
        start: Option<Field>,
        /// The next page of the queue.
        next: Field,
        /// The page before it in the queue.
        prev: Field,
        /// Size of the struct.
        size: Field,
    }

    /// `struct mi_segment_s`.
    MiSegment {
        /// What its address and the process's secret make.
        cookie: Field,
        /// The thread that owns it; 0 after that has ended.
        thread_id: Field,
        /// How many of `slices` there are.
        slice_entries: Field,
        /// `segment_info_slices`: how many slices the segment's own description takes.
        own_slices: Field,
        /// `segment_slices`: how many slices it has; more than are described if it is huge.
        all_slices: Field,
        /// Its slices, an array of pages.
        slices: Field,
        /// The next segment whose thread has ended, in 3.13.
        abandoned_next: Option<Field>,
        /// What it belongs to: all threads of an interpreter, from 3.14 on.
        subproc: Option<Field>,
    }

    /// `struct _mimalloc_interp_state` in `PyInterpreterState`.
    MiInterpreter {
        /// `abandoned_pool.abandoned`: segments whose threads have ended, with a tag; in 3.13.
        abandoned: Option<Field>,
        /// `abandoned_pool.abandoned_visited`: those of them that were looked at lately.
        abandoned_visited: Option<Field>,
        /// What its segments say that they belong to, from 3.14 on.
        subproc: Option<Field>,
    }
}
