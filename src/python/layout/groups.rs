//! The groups of fields that pydbg reads. A field that a version does not have is `None`; a
//! group that it does not have is `None` as a whole. Names are CPython's where they are short,
//! and one name stands for the same thing in every version (`frame.previous` is `f_back` in a
//! frame object of 3.10).

use super::fields::{Field, Group, Slot, all_groups, groups};
use super::mimalloc_groups::*;
use super::mutex_groups::*;
use super::object_groups::*;

all_groups! {
    /// `_PyRuntimeState`, from 3.7 on.
    runtime: Option<Runtime>,
    /// `PyInterpreterState`.
    interpreter: Interpreter,
    /// `PyThreadState`.
    thread: Thread,
    /// `struct _gil_runtime_state`, from 3.7 on.
    gil: Option<Gil>,
    /// `struct _gc_runtime_state`, from 3.7 on.
    gc: Option<Gc>,
    /// `struct gc_generation`, which begins with the head of a list.
    generation: Generation,
    /// mimalloc in a thread state, free-threaded.
    mi_thread: Option<MiThread>,
    /// `struct mi_heap_s`, free-threaded.
    mi_heap: Option<MiHeap>,
    /// `struct mi_page_s`, free-threaded.
    mi_page: Option<MiPage>,
    /// `struct mi_segment_s`, free-threaded.
    mi_segment: Option<MiSegment>,
    /// mimalloc in an interpreter, free-threaded.
    mi_interpreter: Option<MiInterpreter>,
    /// `_PyCFrame`, 3.10 to 3.12.
    cframe: Option<CFrame>,
    /// `_PyInterpreterFrame` (3.11+) or `PyFrameObject`.
    frame: Frame,
    /// `PyCodeObject`.
    code: Code,
    /// `_PyCoMonitoringData`, from 3.12 on.
    monitoring: Option<Monitoring>,
    /// `PyObject` and `PyVarObject`.
    object: Object,
    /// `PyTypeObject` and `PyHeapTypeObject`.
    type_object: Type,
    /// `PyASCIIObject`, `PyCompactUnicodeObject`, `PyUnicodeObject`.
    str: Str,
    /// `PyBytesObject`, in 2.7 `PyStringObject`.
    bytes: Bytes,
    /// `PyDictObject`.
    dict: Dict,
    /// `PyDictKeysObject`, from 3.6 on.
    dict_keys: Option<DictKeys>,
    /// `PyTupleObject`.
    tuple: Tuple,
    /// `PyListObject`.
    list: List,
    /// `PyLongObject`, and in 2.7 `PyIntObject`.
    int: Int,
    /// `PyModuleObject`.
    module: Module,
    /// `PyInstanceObject`, 2.7's instance of an old-style class.
    instance: Option<Instance>,
    /// `PyGenObject`, `PyCoroObject`, `PyAsyncGenObject`.
    generator: Generator,
    /// `_PyErr_StackItem`, from 3.7 on.
    exc_item: Option<ExcItem>,
    /// `PyBaseExceptionObject`; what its subclasses add follows it.
    exception: Exception,
    /// `PyFrameObject` where it is no more than a handle of a frame, from 3.11 on.
    frame_object: Option<FrameObject>,
    /// `PyFunctionObject`.
    function: Function,
    /// `PyMemberDescrObject` and its kin.
    descriptor: Descriptor,
    /// `PyByteArrayObject`.
    bytearray: ByteArray,
    /// `PyMemoryViewObject`.
    memory_view: MemoryView,
    /// `rangeobject`; numbers in 2.7, objects since.
    range: Range,
    /// `dequeobject`.
    deque: Deque,
    /// `struct BLOCK` of a deque.
    deque_block: DequeBlock,
    /// `lockobject`: `_thread.lock`.
    lock: LockObject,
    /// `rlockobject`: `_thread.RLock`, from 3.2 on.
    rlock: Option<RLockObject>,
    /// `struct _stoptheworld_state`, from 3.13 on.
    stop_the_world: Option<StopTheWorld>,
    /// `PyCriticalSection2`, which begins as `PyCriticalSection` does; free-threaded.
    critical_section: Option<CriticalSection>,
    /// `buffered`: `io.BufferedReader` and its like.
    buffered: Buffered,
    /// Mutexes in `_PyRuntimeState`, from 3.13 on.
    runtime_mutexes: Option<RuntimeMutexes>,
    /// Mutexes in `PyInterpreterState`, from 3.13 on.
    interpreter_mutexes: Option<InterpreterMutexes>,
    /// Those of them that name their owner, from 3.14 on.
    owned_mutexes: Option<OwnedMutexes>,
    /// What these are: `_PyRecursiveMutex`.
    recursive_mutex: Option<RecursiveMutex>,
}

groups! {
    /// `_PyRuntimeState`.
    Runtime {
        /// The thread state that finalizes the runtime, or NULL.
        finalizing: Field,
        /// `interpreters.head`.
        interpreters_head: Field,
        /// `interpreters.main`.
        interpreters_main: Field,
        /// `gilstate.tstate_current`, up to 3.11.
        tstate_current: Option<Field>,
        /// `gilstate.autoInterpreterState`.
        auto_interpreter: Field,
        /// `ceval.gil`, embedded, up to 3.11.
        gil: Option<Field>,
        /// `_main_interpreter`, embedded, from 3.11 on.
        main_interpreter: Option<Field>,
        /// `gc`, embedded, 3.7 and 3.8.
        gc: Option<Field>,
        /// `stoptheworld_mutex`, from 3.13 on: readers stop one interpreter, a writer all.
        stoptheworld_mutex: Option<Field>,
        /// `stoptheworld`, embedded, from 3.13 on: of all interpreters.
        stoptheworld: Option<Field>,
        /// `allocators`: the functions that allocate, from 3.12 on.
        allocators: Option<Field>,
        /// `tracemalloc`: its state, embedded, from 3.12 on.
        tracemalloc: Option<Field>,
        /// Size of the struct.
        size: Field,
    }

    /// `PyInterpreterState`.
    Interpreter {
        /// The next interpreter of the list.
        next: Field,
        /// The interpreter's id.
        id: Option<Field>,
        /// Head of the list of thread states.
        threads: Field,
        /// `sys.modules`.
        modules: Field,
        /// The namespace of `sys`.
        sysdict: Field,
        /// The namespace of `builtins`.
        builtins: Field,
        /// Pointer to the GIL it uses, from 3.12 on.
        gil: Option<Field>,
        /// Whether that is its own, from 3.12 on.
        own_gil: Option<Field>,
        /// Its own GIL, embedded, from 3.12 on.
        embedded_gil: Option<Field>,
        /// `gc`, embedded, from 3.9 on.
        gc: Option<Field>,
        /// `stoptheworld`, embedded, from 3.13 on.
        stoptheworld: Option<Field>,
        /// Size of the struct.
        size: Field,
        /// The states of static builtin types, an array, from 3.12 on.
        static_types: Option<Field>,
        /// The states of static types of extension modules, from 3.13 on.
        extension_types: Option<Field>,
        /// `imports.lock.mutex`, from 3.12 on: a pointer to a semaphore, or from 3.13 on a `PyMutex`.
        import_lock: Option<Field>,
        /// `imports.lock.thread`: the ident of the thread that holds it, from 3.12 on.
        import_lock_thread: Option<Field>,
        /// What `atexit` will call: an array and its length, from 3.14 on a list; from 3.10 on.
        exit_callbacks: Option<Field>,
        /// `obmalloc`: the state of pymalloc, embedded in 3.12, a pointer to it from 3.13 on.
        obmalloc: Option<Field>,
    }

    /// `PyThreadState`.
    Thread {
        /// The previous (newer) thread state of the list.
        prev: Option<Field>,
        /// The next (older) thread state of the list.
        next: Field,
        /// Its interpreter.
        interp: Field,
        /// The bits of `_status`, from 3.12 on.
        status: Option<Field>,
        /// Attached, detached or suspended, from 3.13 on.
        state: Option<Field>,
        /// Whether it holds the GIL, from 3.14 on.
        holds_gil: Option<Field>,
        /// Whether it waits for the GIL, from 3.15 on.
        gil_requested: Option<Field>,
        /// `frame` (up to 3.10) or `current_frame` (3.13+).
        frame: Option<Field>,
        /// `cframe`, 3.10 to 3.12.
        cframe: Option<Field>,
        /// `root_cframe`, 3.10 to 3.12: the embedded outermost one.
        root_cframe: Option<Field>,
        /// Pointer to the outermost frame, embedded in the thread state, from 3.15 on.
        base_frame: Option<Field>,
        /// `threading.get_ident()`: the `pthread_t`.
        thread_id: Field,
        /// The LWP id, from 3.11 on.
        native_thread_id: Option<Field>,
        /// The current chunk of the stack of frames, from 3.11 on.
        datastack_chunk: Option<Field>,
        /// Its innermost critical section, with marks in the low bits; from 3.13 on.
        critical_section: Option<Field>,
        /// Size of the struct.
        size: Field,
        /// The top of the stack of exceptions being handled, from 3.7 on.
        exc_info: Option<Field>,
        /// Its outermost item, embedded, from 3.7 on.
        exc_state: Option<Field>,
        /// `exc_type`: the exception being handled, up to 3.6.
        handled_type: Option<Field>,
        /// `exc_value`, up to 3.6.
        handled_value: Option<Field>,
        /// `exc_traceback`, up to 3.6.
        handled_traceback: Option<Field>,
        /// `curexc_type`: the exception being raised, up to 3.11.
        raised_type: Option<Field>,
        /// `curexc_value`, up to 3.11.
        raised_value: Option<Field>,
        /// `curexc_traceback`, up to 3.11.
        raised_traceback: Option<Field>,
        /// The exception being raised, from 3.12 on.
        current_exception: Option<Field>,
        /// The exception that another thread asked for.
        async_exc: Field,
    }

    /// `struct _gil_runtime_state`.
    Gil {
        /// Whether a free-threaded build uses the GIL.
        enabled: Option<Field>,
        /// The thread state that took it last.
        last_holder: Field,
        /// −1 not made yet, 0 free, 1 held.
        locked: Field,
        /// The condition variable that waiting threads sleep on.
        cond: Field,
        /// The mutex that guards all of this.
        mutex: Field,
        /// The condition variable on which a thread that gave it up waits until another one has
        /// taken it; its own mutex follows it.
        switch_cond: Field,
        /// Size of the struct.
        size: Field,
    }

    /// `struct _stoptheworld_state`.
    StopTheWorld {
        /// Whether a thread wants the world to stop.
        requested: Field,
        /// Whether it has stopped.
        world_stopped: Field,
        /// What the requester waits for: a `PyEvent`.
        stop_event: Field,
        /// How many threads have not stopped yet.
        countdown: Field,
        /// The thread state that wants it.
        requester: Field,
    }

    /// `PyCriticalSection2`.
    CriticalSection {
        /// The one that is around it, with the same marks.
        previous: Field,
        /// The mutex it has locked.
        mutex: Field,
        /// The other one, of a critical section of two objects.
        second: Field,
    }

    /// `struct _gc_runtime_state`.
    Gc {
        /// Whether it runs by itself.
        enabled: Field,
        /// `gc.get_debug()`.
        debug: Field,
        /// `generation_stats`, embedded; a pointer from 3.15 on.
        statistics: Field,
        /// `gc.garbage`.
        garbage: Field,
        /// `gc.callbacks`.
        callbacks: Field,
        /// `long_lived_total`: how many objects were left after the last full collection.
        long_lived_total: Field,
        /// `long_lived_pending`: how many have joined the oldest generation since then.
        long_lived_pending: Field,
        /// Whether a collection is in progress.
        collecting: Field,
        /// `generations`, an array of three; or `young`, with `old`, an array of two, behind it.
        generations: Field,
        /// `permanent_generation`: what `gc.freeze()` has put aside.
        permanent: Field,
        /// `generation0`, a pointer to the first of `generations`.
        generation0: Option<Field>,
        /// Size of the struct.
        size: Field,
    }

    /// `struct gc_generation`.
    Generation {
        /// `threshold`.
        threshold: Field,
        /// `count`.
        count: Field,
        /// Size of the struct.
        size: Field,
    }

    /// `_PyCFrame`: a C-stack local of each native activation of the evaluation loop.
    CFrame {
        /// The current interpreter frame (3.11, 3.12).
        current_frame: Option<Field>,
        /// The `_PyCFrame` of the activation that is outer to this one.
        previous: Field,
    }

    /// `_PyInterpreterFrame` (3.11+) or `PyFrameObject`.
    Frame {
        /// The caller's frame: `previous` or `f_back`.
        previous: Field,
        /// `f_executable` or `f_code`.
        code: Field,
        /// `f_funcobj`, from 3.11 on.
        function: Option<Field>,
        /// `f_globals`.
        globals: Field,
        /// `f_builtins`.
        builtins: Field,
        /// `f_locals`.
        locals: Field,
        /// The frame object that wraps this frame, if one was made; from 3.11 on.
        frame_obj: Option<Field>,
        /// `f_lasti`, `prev_instr` or `instr_ptr`.
        instruction: Field,
        /// `f_stacktop`, `f_stackdepth`, `stacktop` or `stackpointer`.
        stack_top: Field,
        /// Which copy of the bytecode runs (3.14+, free-threaded).
        tlbc_index: Option<Field>,
        /// Whether the evaluation loop was entered with this frame (3.11).
        is_entry: Option<Field>,
        /// Who owns the frame, from 3.11 on.
        owner: Option<Field>,
        /// Local variables, cells, and the value stack.
        localsplus: Field,
        /// Size of the struct.
        size: Field,
        /// `f_valuestack`: where its evaluation stack begins, up to 3.10.
        valuestack: Option<Field>,
        /// `f_iblock`: how many blocks are open, up to 3.10.
        iblock: Option<Field>,
        /// `f_blockstack`: the open blocks, embedded, up to 3.10.
        blockstack: Option<Field>,
    }

    /// `PyCodeObject`.
    Code {
        /// Number of positional arguments.
        argcount: Field,
        /// Number of positional-only arguments, from 3.8 on.
        posonlyargcount: Option<Field>,
        /// Number of keyword-only arguments; not in 2.7.
        kwonlyargcount: Option<Field>,
        /// Number of local variables.
        nlocals: Field,
        /// Number of locals, cells and free variables, from 3.11 on.
        nlocalsplus: Option<Field>,
        /// Slots of the value stack.
        stacksize: Field,
        /// `CO_*` bits.
        flags: Field,
        /// First line.
        firstlineno: Field,
        /// File name.
        filename: Field,
        /// Name.
        name: Field,
        /// Qualified name, from 3.11 on.
        qualname: Option<Field>,
        /// `co_lnotab` (up to 3.9) or `co_linetable`.
        linetable: Field,
        /// The bytes object of the bytecode, up to 3.10.
        bytecode: Option<Field>,
        /// The bytecode itself, at the end of the code object, from 3.11 on.
        adaptive: Option<Field>,
        /// The array of thread-local copies of the bytecode (3.14+, free-threaded).
        tlbc: Option<Field>,
        /// The first code unit that tracing may see, from 3.11 on.
        firsttraceable: Option<Field>,
        /// Names of all slots, from 3.11 on.
        localsplusnames: Option<Field>,
        /// What each slot is, from 3.11 on.
        localspluskinds: Option<Field>,
        /// Names of local variables, up to 3.10.
        varnames: Option<Field>,
        /// Names of cell variables, up to 3.10.
        cellvars: Option<Field>,
        /// Names of free variables, up to 3.10.
        freevars: Option<Field>,
        /// Size of the struct.
        size: Field,
        /// `co_consts`.
        consts: Field,
        /// `co_names`.
        names: Field,
        /// `co_exceptiontable`, from 3.11 on.
        exceptiontable: Option<Field>,
        /// `_co_monitoring`, from 3.12 on.
        monitoring: Option<Field>,
        /// `co_executors`, from 3.13 on.
        executors: Option<Field>,
        /// `co_extra`: what others keep with the code, from 3.6 on.
        extra: Option<Field>,
        /// `co_cell2arg`: which cells are arguments, up to 3.10.
        cell2arg: Option<Field>,
        /// `co_opcache`: caches of instructions (3.8 to 3.10).
        opcache: Option<Field>,
        /// How many there are, in a byte.
        opcache_size: Option<Field>,
        /// A frame that is kept for the next call, up to 3.10.
        zombie_frame: Option<Field>,
        /// `_co_cached`: what attributes of the code were made of it (3.12+).
        cached: Option<Field>,
        /// `_co_linearray`: lines by instruction, for tracing (3.11).
        line_array: Option<Field>,
    }

    /// `_PyCoMonitoringData`: what instrumented opcodes were written over.
    Monitoring {
        /// For each code unit, the opcode under `INSTRUMENTED_LINE`.
        lines: Field,
        /// `per_instruction_opcodes`: the one under `INSTRUMENTED_INSTRUCTION`.
        instructions: Field,
    }
}
