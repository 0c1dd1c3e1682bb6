//! The groups of fields of Python objects, beside those of the runtime in [`super::groups`].

use super::fields::{Field, Group, Slot, groups};

groups! {
    /// `PyObject` and `PyVarObject`.
    Object {
        /// The type.
        ob_type: Field,
        /// The number of items of an object of variable size.
        ob_size: Field,
        /// `ob_mutex`, a `PyMutex`; free-threaded.
        mutex: Option<Field>,
        /// `ob_gc_bits`, a byte: whether the collector tracks it and more (3.13+, free-threaded).
        gc_bits: Option<Field>,
        /// Size of `PyObject`.
        size: Field,
    }

    /// `PyTypeObject` and `PyHeapTypeObject`.
    Type {
        /// The name, a C string.
        name: Field,
        /// Size of an instance.
        basicsize: Field,
        /// Size of an item.
        itemsize: Field,
        /// `Py_TPFLAGS_*` bits.
        flags: Field,
        /// The base class.
        base: Field,
        /// The namespace.
        dict: Field,
        /// Where instances have their dictionary.
        dictoffset: Field,
        /// Shared keys of the instances' dictionaries (heap types), from 3.6 on.
        cached_keys: Option<Field>,
        /// Size of `PyTypeObject`.
        size: Field,
        /// The subclasses; from 3.12 on an index for types of the interpreter's own.
        subclasses: Field,
        /// `tp_bases`.
        bases: Field,
        /// `tp_mro`.
        mro: Field,
        /// `tp_repr`: a function.
        repr: Field,
        /// Where an instance keeps its list of weak references.
        weaklistoffset: Field,
        /// `ht_name`.
        heap_name: Field,
        /// `ht_qualname`, from 3.3 on.
        heap_qualname: Option<Field>,
        /// `ht_slots`: the names in `__slots__`.
        heap_slots: Field,
        /// `_ht_tpname`: the name of a type that C code made, if the type owns it (3.11+).
        c_name: Option<Field>,
    }

    /// `PyASCIIObject`, `PyCompactUnicodeObject`, `PyUnicodeObject`.
    Str {
        /// Length in characters.
        length: Field,
        /// Kind, compactness; from 3.3 on.
        state: Option<Field>,
        /// Where the characters of a compact ASCII string begin.
        ascii_data: Option<Field>,
        /// Where the characters of another compact string begin.
        compact_data: Option<Field>,
        /// Pointer to the characters of a string that is not compact.
        pointer: Field,
    }

    /// `PyBytesObject`.
    Bytes {
        /// Where the bytes begin.
        data: Field,
    }

    /// `PyDictObject`.
    Dict {
        /// The number of items.
        used: Field,
        /// The keys object, from 3.3 on.
        keys: Option<Field>,
        /// The values of a split table, from 3.3 on.
        values: Option<Field>,
        /// Number of slots − 1 (2.7).
        mask: Option<Field>,
        /// The slots (2.7).
        table: Option<Field>,
        /// Size of the struct.
        size: Field,
    }

    /// `PyDictKeysObject`.
    DictKeys {
        /// Number of index slots, up to 3.10.
        slots: Option<Field>,
        /// Its binary logarithm, from 3.11 on.
        log2_slots: Option<Field>,
        /// Binary logarithm of the size of the indices, from 3.11 on.
        log2_index_bytes: Option<Field>,
        /// General, only strings, or split; from 3.11 on.
        kind: Option<Field>,
        /// Entries that may still be added.
        usable: Field,
        /// Entries in use, deleted ones included.
        nentries: Field,
        /// Where the indices begin.
        indices: Field,
    }

    /// `PyTupleObject`.
    Tuple {
        /// Where the items begin.
        items: Field,
    }

    /// `PyListObject`.
    List {
        /// Pointer to the items.
        items: Field,
    }

    /// `PyLongObject`.
    Int {
        /// Sign and number of digits, from 3.12 on; earlier that is `ob_size`.
        tag: Option<Field>,
        /// Where the digits begin.
        digits: Field,
        /// The value of a `PyIntObject` (2.7).
        small: Option<Field>,
    }

    /// `PyModuleObject`.
    Module {
        /// The namespace.
        dict: Field,
    }

    /// `PyInstanceObject` (2.7).
    Instance {
        /// The class.
        class: Field,
        /// The attributes.
        dict: Field,
    }

    /// `PyGenObject`.
    Generator {
        /// `gi_frame` (a pointer, up to 3.10) or `gi_iframe` (embedded).
        frame: Field,
        /// `gi_running` (up to 3.9) or `gi_frame_state` (3.11+).
        state: Option<Field>,
        /// The name; not in 2.7.
        name: Option<Field>,
        /// The qualified name; not in 2.7.
        qualname: Option<Field>,
        /// `gi_exc_state`, embedded, from 3.7 on.
        exc_state: Option<Field>,
        /// `gi_running`, up to 3.9.
        running: Option<Field>,
    }

    /// `_PyErr_StackItem`, from 3.7 on.
    ExcItem {
        /// Up to 3.10.
        exc_type: Option<Field>,
        /// The exception.
        exc_value: Field,
        /// Up to 3.10.
        exc_traceback: Option<Field>,
        /// The item below.
        previous: Field,
    }

    /// `PyBaseExceptionObject`; what its subclasses add follows it.
    Exception {
        /// The instance's dictionary.
        dict: Field,
        /// `args`.
        args: Field,
        /// `__traceback__`, from 3.0 on.
        traceback: Option<Field>,
        /// `__context__`, from 3.0 on.
        context: Option<Field>,
        /// `__cause__`, from 3.0 on.
        cause: Option<Field>,
        /// `__suppress_context__`, from 3.3 on.
        suppress_context: Option<Field>,
        /// Size of the struct.
        size: Field,
    }

    /// `PyFrameObject` where it is no more than a handle of a frame, from 3.11 on.
    FrameObject {
        /// `f_back`, set when the frame has ended.
        back: Field,
        /// The `_PyInterpreterFrame`.
        frame: Field,
        /// `f_lineno`, 0 unless a debugger set it.
        lineno: Field,
        /// The frame itself once it has ended, embedded.
        own_frame: Field,
    }

    /// `PyFunctionObject`.
    Function {
        /// `__code__`.
        code: Field,
        /// `__globals__`.
        globals: Field,
        /// `__name__`.
        name: Field,
        /// `__qualname__`, from 3.3 on.
        qualname: Option<Field>,
        /// `__defaults__`.
        defaults: Field,
        /// `__kwdefaults__`, from 3.0 on.
        kwdefaults: Option<Field>,
        /// `__closure__`.
        closure: Field,
        /// `__doc__`.
        doc: Field,
        /// `__dict__`.
        dict: Field,
        /// `__module__`.
        module: Field,
    }

    /// `PyMemberDescrObject` and its kin.
    Descriptor {
        /// `d_type`: the type it belongs to.
        owner: Field,
        /// `d_name`.
        name: Field,
        /// `d_member`, `d_getset`, `d_method`, `d_base`: the C definition, whose first word is the name.
        member: Field,
    }

    /// `PyByteArrayObject`.
    ByteArray {
        /// The first byte: `ob_start`, in 2.7 `ob_bytes`.
        start: Field,
    }

    /// `PyMemoryViewObject`.
    MemoryView {
        /// Its `Py_buffer`, embedded.
        view: Field,
        /// Whether it was released; not in 2.7.
        flags: Option<Field>,
    }

    /// `rangeobject`; numbers in 2.7, objects since.
    Range {
        /// `start`.
        start: Field,
        /// `stop`, from 3.0 on.
        stop: Option<Field>,
        /// `step`.
        step: Field,
        /// `length`.
        length: Field,
    }

    /// `dequeobject`.
    Deque {
        /// The first block.
        left_block: Field,
        /// Where the first item is in it.
        left_index: Field,
        /// How many items, in 2.7; else `ob_size`.
        length: Option<Field>,
        /// `maxlen`, negative for none.
        maxlen: Field,
        /// How many blocks it keeps for later; pointers to these follow (3.11+).
        free_blocks: Option<Field>,
    }

    /// `struct BLOCK` of a deque.
    DequeBlock {
        /// The items.
        data: Field,
        /// The next block.
        right: Field,
    }

    /// `lockobject`: `_thread.lock`.
    LockObject {
        /// The `PyThread_type_lock`, a `sem_t *`.
        lock: Option<Field>,
        /// The `PyMutex`, embedded.
        mutex: Option<Field>,
        /// Whether it is locked, in a `char`.
        locked: Option<Field>,
    }

    /// `rlockobject`: `_thread.RLock`, from 3.2 on.
    RLockObject {
        /// The `PyThread_type_lock`, a `sem_t *`.
        lock: Option<Field>,
        /// The `PyMutex`, embedded.
        mutex: Option<Field>,
        /// The owner's ident.
        owner: Field,
        /// How often it is taken; where there is a `PyMutex`, how often beyond the first time.
        count: Field,
    }

    /// `buffered` (Modules/_io/bufferedio.c).
    Buffered {
        /// The file it reads from or writes to.
        raw: Field,
        /// The `PyThread_type_lock`.
        lock: Field,
        /// The ident of the thread that has taken it, or 0.
        owner: Field,
    }
}
