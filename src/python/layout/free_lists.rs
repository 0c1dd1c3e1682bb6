//! Where CPython keeps freed objects for the next of their kind. From 3.10 on the lists are in the
//! interpreter, without a GIL in each thread; before they are static variables of the same names in
//! several files, which nothing tells apart.

use serde::Serialize;

/// One list of freed objects, or several of one kind side by side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct FreeList {
    /// What is on it.
    pub name: &'static str,
    /// Whether it is in the state of a thread, not of an interpreter.
    pub in_thread: bool,
    /// Offset in the state of the first entry, or of the array of all.
    pub head: u32,
    /// Offset of how many there are; where there is none, there is one at most.
    pub count: Option<u32>,
    /// Bytes from one count to the next, and from one head to the next, of several lists.
    pub strides: (u32, u32),
    /// How many lists there are.
    pub lists: u32,
    /// How an entry leads to the next.
    pub links: Links,
    /// How large an entry is.
    pub entry: Entry,
}

/// How an entry of a list leads to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// Pointers to all entries stand in the state.
    Array,
    /// By the word at this offset in the object.
    Word(u32),
}

/// How large an entry of a list is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// An object whose type tells.
    Object,
    /// So many bytes.
    Bytes(u32),
    /// Nothing tells.
    Unknown,
}

/// A list in an interpreter.
const fn list(name: &'static str, head: u32, count: u32, links: Links) -> FreeList {
    FreeList {
        name,
        in_thread: false,
        head,
        count: Some(count),
        strides: (0, 0),
        lists: 1,
        links,
        entry: Entry::Object,
    }
}

const fn one(name: &'static str, head: u32) -> FreeList {
    FreeList {
        count: None,
        ..list(name, head, 0, Links::Array)
    }
}

const fn tuples(head: u32, count: u32, items: u32) -> FreeList {
    FreeList {
        strides: (4, 8),
        lists: 20,
        ..list("tuple", head, count, Links::Word(items))
    }
}

const fn sized(bytes: u32, list: FreeList) -> FreeList {
    FreeList {
        entry: Entry::Bytes(bytes),
        ..list
    }
}

/// `PyMemoryError_Type` links its objects by their dictionary.
const fn memory_errors(head: u32, dict: u32) -> FreeList {
    list("MemoryError", head, head + 8, Links::Word(dict))
}

/// 3.10
pub(super) const V3_10: &[FreeList] = &[
    sized(24, list("float", 9784, 9776, Links::Word(8))),
    one("slice", 9792),
    // The first one is the empty tuple, which is alive.
    FreeList {
        lists: 19,
        ..tuples(9808, 9964, 24)
    },
    list("list", 10040, 10680, Links::Array),
    list("dict", 10688, 11328, Links::Array),
    sized(168, list("dict keys", 11336, 11976, Links::Array)),
    list("frame", 11984, 11992, Links::Word(24)),
    list("async generator value", 12000, 12640, Links::Array),
    list("async generator send", 12648, 13288, Links::Array),
    list("context", 13296, 13304, Links::Word(32)),
    memory_errors(13320, 16),
];

/// 3.11
pub(super) const V3_11: &[FreeList] = &[
    sized(24, list("float", 3616, 3608, Links::Word(8))),
    one("slice", 3624),
    tuples(3632, 3792, 24),
    list("list", 3872, 4512, Links::Array),
    list("dict", 4520, 5160, Links::Array),
    sized(120, list("dict keys", 5168, 5808, Links::Array)),
    list("async generator value", 5816, 6456, Links::Array),
    list("async generator send", 6464, 7104, Links::Array),
    list("context", 7112, 7120, Links::Word(32)),
    memory_errors(7136, 16),
];

/// 3.12
pub(super) const V3_12: &[FreeList] = &[
    sized(24, list("float", 267416, 267408, Links::Word(8))),
    one("slice", 269824),
    tuples(269832, 269992, 24),
    list("list", 270072, 270712, Links::Array),
    list("dict", 270736, 272016, Links::Array),
    sized(120, list("dict keys", 271376, 272020, Links::Array)),
    list("async generator value", 272088, 272728, Links::Array),
    list("async generator send", 272736, 273376, Links::Array),
    list("context", 273384, 273392, Links::Word(32)),
    memory_errors(273408, 16),
];

/// `struct _Py_object_freelists` of 3.13, and where the interpreter has memory errors; `more` is what
/// the header of an object has more than with a GIL.
const fn arrays(base: u32, memory: u32, more: u32) -> [FreeList; 10] {
    [
        sized(
            24 + more,
            list("float", base + 8, base, Links::Word(8 + more)),
        ),
        tuples(base + 16, base + 176, 24 + more),
        list("list", base + 256, base + 896, Links::Array),
        list("dict", base + 904, base + 1544, Links::Array),
        sized(
            120,
            list("dict keys", base + 1552, base + 2192, Links::Array),
        ),
        one("slice", base + 2200),
        list("context", base + 2208, base + 2216, Links::Word(32 + more)),
        list(
            "async generator value",
            base + 2224,
            base + 2864,
            Links::Array,
        ),
        list(
            "async generator send",
            base + 2872,
            base + 3512,
            Links::Array,
        ),
        memory_errors(memory, 16 + more),
    ]
}

/// 3.13
pub(super) const V3_13: &[FreeList] = &arrays(10952, 82648, 0);

/// 3.13 without a GIL
pub(super) const V3_13T: &[FreeList] = &in_threads(arrays(14248, 85736, 16));

/// The first of 3.13 without a GIL, whose threads have a word less
pub(super) const V3_13T_5: &[FreeList] = &in_threads(arrays(14240, 85736, 16));

/// Without a GIL all lists but the last one are in the threads.
const fn in_threads<const N: usize>(mut lists: [FreeList; N]) -> [FreeList; N] {
    let mut index = 0;
    while index + 1 < N {
        lists[index].in_thread = true;
        index += 1;
    }
    lists
}

/// One of `struct _Py_freelists` of 3.14 and later: the first word of an entry leads to the next.
const fn linked(name: &'static str, at: u32) -> FreeList {
    FreeList {
        strides: (16, 16),
        ..list(name, at, at + 8, Links::Word(0))
    }
}

const fn unknown(name: &'static str, at: u32) -> FreeList {
    FreeList {
        entry: Entry::Unknown,
        ..linked(name, at)
    }
}

/// `struct _Py_freelists` of 3.14.
const fn v3_14(base: u32, memory: u32, more: u32) -> [FreeList; 21] {
    [
        linked("float", base),
        sized(32 + more, linked("int", base + 16)),
        FreeList {
            lists: 20,
            ..linked("tuple", base + 32)
        },
        linked("list", base + 352),
        linked("list iterator", base + 368),
        linked("tuple iterator", base + 384),
        linked("dict", base + 400),
        sized(120, linked("dict keys", base + 416)),
        linked("slice", base + 432),
        linked("range", base + 448),
        linked("range iterator", base + 464),
        linked("context", base + 480),
        linked("async generator value", base + 496),
        linked("async generator send", base + 512),
        linked("future iterator", base + 528),
        unknown("object stack chunk", base + 544),
        unknown("string writer", base + 560),
        linked("builtin function", base + 576),
        linked("builtin method", base + 592),
        linked("method", base + 608),
        memory_errors(memory, 16 + more),
    ]
}

/// `struct _Py_freelists` of 3.15.
const fn v3_15(base: u32, memory: u32, more: u32) -> [FreeList; 23] {
    [
        linked("float", base),
        linked("complex", base + 16),
        sized(32 + more, linked("int", base + 32)),
        FreeList {
            lists: 20,
            ..linked("tuple", base + 48)
        },
        linked("list", base + 368),
        linked("list iterator", base + 384),
        linked("tuple iterator", base + 400),
        linked("dict", base + 416),
        sized(120, linked("dict keys", base + 432)),
        linked("slice", base + 448),
        linked("range", base + 464),
        linked("range iterator", base + 480),
        linked("context", base + 496),
        linked("async generator value", base + 512),
        linked("async generator send", base + 528),
        linked("future iterator", base + 544),
        unknown("object stack chunk", base + 560),
        unknown("string writer", base + 576),
        unknown("bytes writer", base + 592),
        linked("builtin function", base + 608),
        linked("builtin method", base + 624),
        linked("method", base + 640),
        memory_errors(memory, 16 + more),
    ]
}

/// 3.14
pub(super) const V3_14: &[FreeList] = &v3_14(11120, 79896, 0);

/// 3.14 without a GIL
pub(super) const V3_14T: &[FreeList] = &in_threads(v3_14(18440, 85688, 16));

/// 3.15
pub(super) const V3_15: &[FreeList] = &v3_15(11096, 79904, 0);

/// 3.15 without a GIL
pub(super) const V3_15T: &[FreeList] = &in_threads(v3_15(18608, 85640, 16));
