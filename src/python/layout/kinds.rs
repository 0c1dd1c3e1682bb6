//! How versions of CPython do things, where an offset alone does not tell.

use super::free_lists::FreeList;
use serde::Serialize;

/// One choice of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Kinds {
    /// Where a thread's chain of frames begins and what its links are.
    pub frame_chain: FrameChain,
    /// What the frame's instruction field holds.
    pub last_instruction: LastInstruction,
    /// How lines are encoded.
    pub line_table: LineTable,
    /// How the opcodes are kept that `INSTRUMENTED_LINE` is written over.
    pub line_instrumentation: LineInstrumentation,
    /// What each native activation of the evaluation loop leaves on the C stack.
    pub markers: Markers,
    /// How references in frames are tagged.
    pub references: References,
    /// How characters are stored.
    pub str: StrKind,
    /// How `repr` writes a `bytearray`.
    pub bytearray_repr: ByteArrayRepr,
    /// How dictionaries are stored.
    pub dict: DictKind,
    /// How the values of a split dictionary are stored.
    pub values: ValuesKind,
    /// What objects tell the collector, where versions differ.
    pub told: ToldRules,
    /// How integers are stored.
    pub int: IntKind,
    /// Where an instance keeps its attributes.
    pub attributes: Attributes,
    /// Where the GIL is.
    pub gil: GilPlace,
    /// Bits of `PyThreadState._status`, from 3.12 on.
    pub status: Option<StatusBits>,
    /// The attribute of a `threading.Thread` that holds its name.
    pub thread_name: &'static str,
    /// The C function that is the evaluation loop.
    pub eval_function: &'static str,
    /// What the names of the functions begin with that handle one opcode each and call each other
    /// on top of the evaluation loop, in builds of that kind (3.14+).
    pub opcode_functions: Option<&'static str>,
    /// From 3.12 on, the size in bytes of an interpreter's state of a static type, and where in it
    /// the type's namespace is. Its first word is the type.
    pub static_type_state: Option<(u32, u32)>,
    /// `gi_frame_state` of a generator that is suspended; up to 3.10 it has a frame then, and does
    /// not run.
    pub suspended: &'static [i8],
    /// How a frame that is inside a `with` statement keeps the exit of its context manager.
    pub with_blocks: WithBlocks,
    /// What `sys.getsizeof` counts.
    pub sizes: SizeRules,
    /// Size in bytes of what the garbage collector keeps in front of an object.
    pub gc_head: u32,
    /// Whether the collector keeps its statistics outside of its state, in rings of longer rows.
    pub statistics_apart: bool,
    /// How references to an object are counted.
    pub counting: Counting,
    /// Size in bytes of a pool of pymalloc; `None` for builds that allocate with mimalloc.
    pub pool_size: Option<u32>,
    /// How `tracemalloc` keeps its traces; not in 2.7.
    pub trace_table: Option<TraceTable>,
    /// Where pymalloc keeps the list of its arenas.
    pub arenas: ArenasIn,
    /// Lists of freed objects that are kept for the next of their kind, as far as they can be found.
    pub free_lists: &'static [FreeList],
    /// Where a page of mimalloc says which kind of heap it belongs to, in builds that allocate
    /// with it.
    pub page_tag: Option<PageTag>,
    /// Whether the lock of all imports is held while the code of a module runs.
    pub imports_one_by_one: bool,
    /// How `repr` writes containers.
    pub reprs: Reprs,
    /// How `repr` writes objects of the standard library that do not tell it themselves.
    pub library: LibraryReprs,
    /// Where objects of the standard library keep file descriptors.
    pub descriptors: DescriptorPlaces,
}

/// How `tracemalloc` keeps the trace of each block: a `_Py_hashtable_t`, whose third word leads to the
/// buckets, lists of entries { next; hash; key; … }.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct TraceTable {
    /// Where the table tells how many entries it has, in bytes.
    pub entries: u32,
    /// Where it tells how many buckets it has.
    pub buckets: u32,
    /// Where it tells the size of keys, behind which the trace lies in the entry; `None` where
    /// behind the key there is a pointer to the trace.
    pub key_size: Option<u32>,
    /// Whether names of files are C strings, not objects.
    pub c_names: bool,
}

impl TraceTable {
    /// Up to 3.8.
    pub(super) const WITHIN: TraceTable = TraceTable {
        entries: 8,
        buckets: 0,
        key_size: Some(24),
        c_names: false,
    };

    /// From 3.9 to 3.14.
    pub(super) const APART: TraceTable = TraceTable {
        entries: 0,
        buckets: 8,
        key_size: None,
        c_names: false,
    };

    /// From 3.15 on.
    pub(super) const APART_FROM_OBJECTS: TraceTable = TraceTable {
        c_names: true,
        ..TraceTable::APART
    };
}

/// What `sys.getsizeof` counts, where versions differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct SizeRules {
    /// Of what others keep with a code object, the word that tells how much it is counts too
    /// (3.7+).
    pub extra_has_a_head: bool,
    /// A type that is a constant of the binary is said to have a head of the collector, which it
    /// has not (3.11, 3.12).
    pub static_types_collected: bool,
}

/// What objects tell the collector, where versions differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ToldRules {
    /// An instance tells the values that lie in it, even when it has a dictionary made of them; then
    /// it does not tell that, nor the dictionary the values (the first of 3.13).
    pub values_first: bool,
    /// Instances of a type that is written in C, but made at run time, tell their class (3.9+).
    pub classes: bool,
    /// Type parameters and aliases tell their names (the last of 3.13, and 3.14+).
    pub names: bool,
    /// Picklers and unpicklers tell their memos (the last of 3.11, and 3.12+).
    pub memos: bool,
}

/// How `repr` writes objects of the standard library that do not tell it themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct LibraryReprs {
    /// `timedelta(days=1)`, no longer `timedelta(1)` (3.7+).
    pub timedelta_keywords: bool,
    /// Files are said to be of their own class, no longer of the base that writes them (3.13+).
    pub file_class: bool,
    /// The bits of a `FileIO`.
    pub file_bits: FileBits,
}

/// Where objects of the standard library keep file descriptors, where versions differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct DescriptorPlaces {
    /// Bytes from the header of an `mmap.mmap` to the descriptor that it made for itself.
    pub map: u32,
    /// Bytes from the stream of an iterator of `os.scandir` to the end of its struct (3.6+).
    pub scan: Option<u32>,
}

/// Which bits a `FileIO` has, the lowest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileBits {
    /// readable, writable, appending, seekable (two), closefd (2.7).
    Plain,
    /// created before these (3.3 to 3.14).
    Created,
    /// And truncated before closefd (3.15).
    Truncated,
}

/// Bits of a `mi_page_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct PageTag {
    /// Offset of the byte that they are in.
    pub byte: u32,
    /// Bits of that byte below them.
    pub shift: u8,
    /// Their mask, once shifted.
    pub mask: u8,
}

/// Where pymalloc keeps the list of its arenas.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArenasIn {
    /// Static variables `arenas` and `maxarenas` (up to 3.11).
    Statics,
    /// A struct within each interpreter (3.12).
    Embedded,
    /// A struct that each interpreter points to (3.13+).
    Pointed,
}

/// How references to an object are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// The first word (up to 3.11).
    Word,
    /// The low half of the first word; its sign bit marks what is never freed (3.12+).
    LowHalf,
    /// One count of the owning thread and one of all others (3.13+, free-threaded).
    Biased,
}

/// What `repr` of containers of the standard library was like, in the order of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reprs {
    /// `set([1])`, `OrderedDict([(1, 2)])`, and `deque([1])` for a subclass too (2.7).
    SetOfList,
    /// As before, but `{1}`; `SimpleNamespace` sorts its names (3.6).
    FixedNames,
    /// A subclass of `deque` and its kin is called by its name (3.7, 3.8).
    SortedNames,
    /// `SimpleNamespace` keeps the order of its names (3.9 to 3.11).
    InOrder,
    /// `OrderedDict({1: 2})` (3.12+).
    OrderedAsDict,
}

/// Where a thread's chain of frames begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameChain {
    /// `tstate->frame`, a chain of `PyFrameObject` (up to 3.10).
    Object,
    /// `tstate->cframe->current_frame`, a chain of `_PyInterpreterFrame` (3.11, 3.12).
    CFrame,
    /// `tstate->current_frame`, a chain of `_PyInterpreterFrame` (3.13+).
    Interpreter,
}

/// What the frame's instruction field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastInstruction {
    /// An `int`, in bytes (up to 3.9).
    ByteOffset,
    /// An `int`, in code units of two bytes (3.10).
    UnitIndex,
    /// A pointer to the last executed code unit (3.11, 3.12).
    PrevInstr,
    /// A pointer to the instruction being executed (3.13+).
    InstrPtr,
}

/// How lines are encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineTable {
    /// Pairs of increments, both unsigned (2.7).
    LnotabUnsigned,
    /// Pairs of increments, the line's signed (3.6 to 3.9).
    LnotabSigned,
    /// Ranges with signed line increments, −128 for none (3.10).
    Ranges,
    /// Entries with columns (3.11+).
    Locations,
}

/// What each native activation of the evaluation loop leaves on the C stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Markers {
    /// Nothing that is linked (up to 3.9); each Python frame is an activation.
    None,
    /// A `_PyCFrame`, linked from the thread state (3.10, 3.11).
    CFrame,
    /// An entry frame of owner 3 or more in the chain of frames (3.12 to 3.14).
    ShimFrame,
    /// The same, and the chain ends in a base frame that is no activation (3.15).
    BaseFrame,
}

/// How references in frames are tagged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum References {
    /// Plain pointers (up to 3.13).
    Plain,
    /// Bit 0 tells who owns the count (3.14).
    LowBit,
    /// As before, and value 2 of the low bits marks an error (3.15).
    LowTwoBits,
}

impl References {
    /// The pointer in a tagged reference.
    pub fn untag(self, bits: u64) -> u64 {
        match self {
            References::Plain => bits,
            References::LowBit => bits & !1,
            References::LowTwoBits => bits & !3,
        }
    }

    /// Whether a reference holds a small number in place of a pointer.
    pub fn is_int(self, bits: u64) -> bool {
        self != References::Plain && bits & 3 == 3
    }
}

/// How the opcodes are kept that `INSTRUMENTED_LINE` is written over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineInstrumentation {
    /// There is no such opcode (up to 3.11).
    None,
    /// Pairs {opcode, line} for each code unit, or, in later patch releases, as
    /// [`LineInstrumentation::Sized`] (3.12, 3.13).
    Either,
    /// The size of an entry, then entries that begin with the opcode (3.14+).
    Sized,
}

/// How characters are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrKind {
    /// `Py_UNICODE *` (2.7); names are byte strings.
    Pointer,
    /// PEP 393 in one bit field; kind 0 is `wchar_t *` (3.3 to 3.11).
    BitsWithLegacy,
    /// PEP 393 in one bit field (3.12+).
    Bits,
    /// The interned state has a byte of its own, before the bit field (3.14+, free-threaded).
    BitsAfterInterned,
}

/// How `repr` writes a `bytearray`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ByteArrayRepr {
    /// It begins with `bytearray`, whatever the class, and `'` is escaped even between `"` (up to
    /// 3.6).
    Fixed,
    /// It begins with the name of the class, and `'` is escaped even between `"` (3.7 to 3.14).
    Class,
    /// It begins with the name of the class, and is that of `bytes` within (3.15+).
    AsBytes,
}

/// How dictionaries are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DictKind {
    /// One open-addressed table of {hash, key, value} (2.7).
    Open,
    /// Indices sized by `dk_size`, then entries of {hash, key, value} (3.6 to 3.10).
    Compact,
    /// Indices sized by `dk_log2_index_bytes`, then entries, which leave the hash out where all
    /// keys are strings (3.11+).
    CompactLog2,
}

/// How the values of a split dictionary are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValuesKind {
    /// There are no split dictionaries (2.7).
    None,
    /// An array of pointers (3.3 to 3.12).
    Bare,
    /// A header {capacity, size, embedded, valid}, then the pointers (3.13+).
    Headed,
}

/// How integers are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntKind {
    /// `int` holds a C `long`; `long` is like [`IntKind::SignedSize`] (2.7).
    TwoTypes,
    /// `ob_size` is the signed number of digits (up to 3.11).
    SignedSize,
    /// `lv_tag` holds sign and number of digits (3.12+).
    Tagged,
}

/// Where an instance keeps its attributes when its type has a managed dictionary; without one,
/// `tp_dictoffset` tells in every version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attributes {
    /// There are no managed dictionaries (up to 3.10).
    DictOffset,
    /// The dictionary at −24, values at −32 (3.11).
    TwoWords,
    /// One word at −24: values + 1 when odd, else the dictionary (3.12).
    TaggedWord,
    /// The dictionary at −24, else values inline behind the object (3.13+).
    Inline,
    /// The dictionary at −8, else values inline behind the object (3.13+, free-threaded).
    InlineFreeThreaded,
}

/// Where the GIL is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GilPlace {
    /// `interpreter_lock` and `_PyThreadState_Current` (2.7).
    InterpreterLock,
    /// Static variables `gil_locked`, `gil_last_holder` … (3.6).
    Statics,
    /// `_PyRuntime.ceval.gil` (3.7 to 3.11).
    Runtime,
    /// `interp->ceval.gil` (3.12+).
    Interpreter,
}

/// Bit numbers of `PyThreadState._status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct StatusBits {
    /// Attached to its interpreter now; on a build with GIL: holds the GIL.
    pub active: u8,
    /// Holds the GIL (3.13 alone).
    pub holds_gil: Option<u8>,
    /// Cleared: about to be freed.
    pub cleared: u8,
    /// Finalized: about to be freed.
    pub finalized: u8,
}

/// How a frame that is inside a `with` statement keeps the exit of its context manager on its
/// evaluation stack (Python/compile.c, Python/codegen.c).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum WithBlocks {
    /// An open block in the frame tells the slot: a bound `__exit__` (up to 3.10).
    BlockStack {
        /// `b_type` of the block.
        block: i32,
    },
    /// The code's exception table tells the slot (3.11+).
    ExceptionTable {
        /// 1: a bound `__exit__`; 2: the function `__exit__`, then the context manager (3.14+).
        slots: u8,
    },
}
