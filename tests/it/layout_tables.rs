//! Every offset that `info layout` states equals the one in the debug information of the very
//! interpreter, as gdb reads it; where there is none, the built-in table equals what the process
//! itself publishes in `_Py_DebugOffsets`.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// What a field is called in C: the types to try in turn, then the members.
type Names = (&'static [&'static str], &'static [&'static str]);

const FRAMES: &[&str] = &["_PyInterpreterFrame", "PyFrameObject"];
const KEYS: &[&str] = &["PyDictKeysObject", "struct _dictkeysobject"];
const CFRAMES: &[&str] = &["_PyCFrame", "CFrame"];
const GIL: &[&str] = &["struct _gil_runtime_state"];
const MI_PAGE: &[&str] = &["mi_page_t"];
const MI_SEGMENT: &[&str] = &["mi_segment_t"];
const GC: &[&str] = &["struct _gc_runtime_state"];
const RUNTIME: &[&str] = &["_PyRuntimeState"];
const WORLD: &[&str] = &["struct _stoptheworld_state"];

/// The member that stands for the size of the whole.
const SIZE: &str = "";

/// The C names of a field of the layout.
#[rustfmt::skip]
fn names(group: &str, field: &str) -> Option<Names> {
    Some(match (group, field) {
        ("runtime", "finalizing") => (RUNTIME, &["_finalizing", "finalizing"]),
        ("runtime", "interpreters_head") => (RUNTIME, &["interpreters.head"]),
        ("runtime", "interpreters_main") => (RUNTIME, &["interpreters.main"]),
        ("runtime", "tstate_current") => (RUNTIME, &["gilstate.tstate_current"]),
        ("runtime", "auto_interpreter") => (RUNTIME, &["gilstate.autoInterpreterState"]),
        ("runtime", "gil") => (RUNTIME, &["ceval.gil"]),
        ("runtime", "gc") => (RUNTIME, &["gc"]),
        ("runtime", "main_interpreter") => (RUNTIME, &["_main_interpreter"]),
        ("runtime", "size") => (RUNTIME, &[SIZE]),
        ("interpreter", "next") => (&["PyInterpreterState"], &["next"]),
        ("interpreter", "id") => (&["PyInterpreterState"], &["id"]),
        ("interpreter", "threads") => (&["PyInterpreterState"], &["threads.head", "tstate_head"]),
        ("interpreter", "modules") => (&["PyInterpreterState"], &["imports.modules", "modules"]),
        ("interpreter", "sysdict") => (&["PyInterpreterState"], &["sysdict"]),
        ("interpreter", "builtins") => (&["PyInterpreterState"], &["builtins"]),
        ("interpreter", "gil") => (&["PyInterpreterState"], &["ceval.gil"]),
        ("interpreter", "own_gil") => (&["PyInterpreterState"], &["ceval.own_gil"]),
        ("interpreter", "embedded_gil") => (&["PyInterpreterState"], &["_gil"]),
        ("interpreter", "gc") => (&["PyInterpreterState"], &["gc"]),
        ("gc", "enabled") => (GC, &["enabled"]),
        ("gc", "debug") => (GC, &["debug"]),
        ("gc", "statistics") => (GC, &["generation_stats"]),
        ("gc", "garbage") => (GC, &["garbage"]),
        ("gc", "callbacks") => (GC, &["callbacks"]),
        ("gc", "long_lived_total") => (GC, &["long_lived_total"]),
        ("gc", "long_lived_pending") => (GC, &["long_lived_pending"]),
        ("gc", "collecting") => (GC, &["collecting"]),
        ("gc", "generations") => (GC, &["generations", "young"]),
        ("gc", "permanent") => (GC, &["permanent_generation"]),
        ("gc", "generation0") => (GC, &["generation0"]),
        ("gc", "size") => (GC, &[SIZE]),
        ("mi_thread", "heaps") => (&["_PyThreadStateImpl"], &["mimalloc.heaps"]),
        ("mi_thread", "initialized") => (&["_PyThreadStateImpl"], &["mimalloc.initialized"]),
        ("mi_heap", "pages") => (&["mi_heap_t"], &["pages"]),
        ("mi_heap", "size") => (&["mi_heap_t"], &[SIZE]),
        ("mi_page", "slice_count") => (MI_PAGE, &["slice_count"]),
        ("mi_page", "debug_offset") => (MI_PAGE, &["debug_offset"]),
        ("mi_page", "capacity") => (MI_PAGE, &["capacity"]),
        ("mi_page", "free") => (MI_PAGE, &["free"]),
        ("mi_page", "local_free") => (MI_PAGE, &["local_free"]),
        ("mi_page", "thread_free") => (MI_PAGE, &["xthread_free"]),
        ("mi_page", "heap") => (MI_PAGE, &["xheap"]),
        ("mi_page", "block_size") => (MI_PAGE, &["block_size", "xblock_size"]),
        ("mi_page", "start") => (MI_PAGE, &["page_start"]),
        ("mi_page", "next") => (MI_PAGE, &["next"]),
        ("mi_page", "prev") => (MI_PAGE, &["prev"]),
        ("mi_page", "size") => (MI_PAGE, &[SIZE]),
        ("mi_segment", "cookie") => (MI_SEGMENT, &["cookie"]),
        ("mi_segment", "thread_id") => (MI_SEGMENT, &["thread_id"]),
        ("mi_segment", "slice_entries") => (MI_SEGMENT, &["slice_entries"]),
        ("mi_page", "reserved") => (MI_PAGE, &["reserved"]),
        ("mi_page", "used") => (MI_PAGE, &["used"]),
        ("mi_segment", "own_slices") => (MI_SEGMENT, &["segment_info_slices"]),
        ("mi_segment", "all_slices") => (MI_SEGMENT, &["segment_slices"]),
        ("interpreter", "obmalloc") => (&["PyInterpreterState"], &["obmalloc"]),
        ("runtime", "allocators") => (RUNTIME, &["allocators"]),
        ("runtime", "tracemalloc") => (RUNTIME, &["tracemalloc"]),
        ("mi_segment", "slices") => (MI_SEGMENT, &["slices"]),
        ("mi_segment", "abandoned_next") => (MI_SEGMENT, &["abandoned_next"]),
        ("mi_segment", "subproc") => (MI_SEGMENT, &["subproc"]),
        ("mi_interpreter", "abandoned") => (&["PyInterpreterState"], &["mimalloc.abandoned_pool.abandoned"]),
        ("mi_interpreter", "abandoned_visited") => (&["PyInterpreterState"], &["mimalloc.abandoned_pool.abandoned_visited"]),
        ("mi_interpreter", "subproc") => (&["PyInterpreterState"], &["mimalloc.subproc"]),
        ("generation", "threshold") => (&["struct gc_generation"], &["threshold"]),
        ("generation", "count") => (&["struct gc_generation"], &["count"]),
        ("generation", "size") => (&["struct gc_generation"], &[SIZE]),
        ("object", "gc_bits") => (&["PyObject"], &["ob_gc_bits"]),
        ("interpreter", "size") => (&["PyInterpreterState"], &[SIZE]),
        ("thread", "prev") => (&["PyThreadState"], &["prev"]),
        ("thread", "next") => (&["PyThreadState"], &["next"]),
        ("thread", "interp") => (&["PyThreadState"], &["interp"]),
        ("thread", "status") => (&["PyThreadState"], &["_status"]),
        ("thread", "state") => (&["PyThreadState"], &["state"]),
        ("thread", "holds_gil") => (&["PyThreadState"], &["holds_gil"]),
        ("thread", "gil_requested") => (&["PyThreadState"], &["gil_requested"]),
        ("thread", "frame") => (&["PyThreadState"], &["current_frame", "frame"]),
        ("thread", "cframe") => (&["PyThreadState"], &["cframe"]),
        ("thread", "root_cframe") => (&["PyThreadState"], &["root_cframe"]),
        ("thread", "base_frame") => (&["PyThreadState"], &["base_frame"]),
        ("thread", "thread_id") => (&["PyThreadState"], &["thread_id"]),
        ("thread", "native_thread_id") => (&["PyThreadState"], &["native_thread_id"]),
        ("thread", "datastack_chunk") => (&["PyThreadState"], &["datastack_chunk"]),
        ("thread", "size") => (&["PyThreadState"], &[SIZE]),
        ("gil", "enabled") => (GIL, &["enabled"]),
        ("gil", "last_holder") => (GIL, &["last_holder"]),
        ("gil", "locked") => (GIL, &["locked"]),
        ("gil", "cond") => (GIL, &["cond"]),
        ("gil", "mutex") => (GIL, &["mutex"]),
        ("gil", "switch_cond") => (GIL, &["switch_cond"]),
        ("gil", "size") => (GIL, &[SIZE]),
        ("cframe", "current_frame") => (CFRAMES, &["current_frame"]),
        ("cframe", "previous") => (CFRAMES, &["previous"]),
        ("frame", "previous") => (FRAMES, &["previous", "f_back"]),
        ("frame", "code") => (FRAMES, &["f_executable", "f_code"]),
        ("frame", "function") => (FRAMES, &["f_funcobj", "f_func"]),
        ("frame", "globals") => (FRAMES, &["f_globals"]),
        ("frame", "builtins") => (FRAMES, &["f_builtins"]),
        ("frame", "locals") => (FRAMES, &["f_locals"]),
        ("frame", "frame_obj") => (FRAMES, &["frame_obj"]),
        ("frame", "instruction") => (FRAMES, &["instr_ptr", "prev_instr", "f_lasti"]),
        ("frame", "stack_top") => {
            (FRAMES, &["stackpointer", "stacktop", "f_stackdepth", "f_stacktop"])
        }
        ("frame", "tlbc_index") => (FRAMES, &["tlbc_index"]),
        ("frame", "is_entry") => (FRAMES, &["is_entry"]),
        ("frame", "owner") => (FRAMES, &["owner"]),
        ("frame", "localsplus") => (FRAMES, &["localsplus", "f_localsplus"]),
        ("frame", "size") => (FRAMES, &[SIZE]),
        ("code", "argcount") => (&["PyCodeObject"], &["co_argcount"]),
        ("code", "posonlyargcount") => (&["PyCodeObject"], &["co_posonlyargcount"]),
        ("code", "kwonlyargcount") => (&["PyCodeObject"], &["co_kwonlyargcount"]),
        ("code", "nlocals") => (&["PyCodeObject"], &["co_nlocals"]),
        ("code", "nlocalsplus") => (&["PyCodeObject"], &["co_nlocalsplus"]),
        ("code", "stacksize") => (&["PyCodeObject"], &["co_stacksize"]),
        ("code", "flags") => (&["PyCodeObject"], &["co_flags"]),
        ("code", "firstlineno") => (&["PyCodeObject"], &["co_firstlineno"]),
        ("code", "filename") => (&["PyCodeObject"], &["co_filename"]),
        ("code", "name") => (&["PyCodeObject"], &["co_name"]),
        ("code", "qualname") => (&["PyCodeObject"], &["co_qualname"]),
        ("code", "linetable") => (&["PyCodeObject"], &["co_linetable", "co_lnotab"]),
        ("code", "bytecode") => (&["PyCodeObject"], &["co_code"]),
        ("code", "adaptive") => (&["PyCodeObject"], &["co_code_adaptive"]),
        ("code", "tlbc") => (&["PyCodeObject"], &["co_tlbc"]),
        ("code", "firsttraceable") => (&["PyCodeObject"], &["_co_firsttraceable"]),
        ("code", "localsplusnames") => (&["PyCodeObject"], &["co_localsplusnames"]),
        ("code", "localspluskinds") => (&["PyCodeObject"], &["co_localspluskinds"]),
        ("code", "varnames") => (&["PyCodeObject"], &["co_varnames"]),
        ("code", "cellvars") => (&["PyCodeObject"], &["co_cellvars"]),
        ("code", "freevars") => (&["PyCodeObject"], &["co_freevars"]),
        ("code", "size") => (&["PyCodeObject"], &[SIZE]),
        ("object", "ob_type") => (&["PyObject"], &["ob_type"]),
        ("object", "ob_size") => (&["PyVarObject"], &["ob_size"]),
        ("object", "size") => (&["PyObject"], &[SIZE]),
        ("type_object", "name") => (&["PyTypeObject"], &["tp_name"]),
        ("type_object", "basicsize") => (&["PyTypeObject"], &["tp_basicsize"]),
        ("type_object", "itemsize") => (&["PyTypeObject"], &["tp_itemsize"]),
        ("type_object", "flags") => (&["PyTypeObject"], &["tp_flags"]),
        ("type_object", "base") => (&["PyTypeObject"], &["tp_base"]),
        ("type_object", "dict") => (&["PyTypeObject"], &["tp_dict"]),
        ("type_object", "dictoffset") => (&["PyTypeObject"], &["tp_dictoffset"]),
        ("type_object", "cached_keys") => (&["PyHeapTypeObject"], &["ht_cached_keys"]),
        ("type_object", "size") => (&["PyTypeObject"], &[SIZE]),
        ("str", "length") => (&["PyASCIIObject", "PyUnicodeObject"], &["length"]),
        ("str", "state") => (&["PyASCIIObject"], &["state"]),
        ("str", "ascii_data") => (&["PyASCIIObject"], &[SIZE]),
        ("str", "compact_data") => (&["PyCompactUnicodeObject"], &[SIZE]),
        ("str", "pointer") => (&["PyUnicodeObject"], &["data", "str"]),
        ("bytes", "data") => (&["PyStringObject", "PyBytesObject"], &["ob_sval"]),
        ("dict", "used") => (&["PyDictObject"], &["ma_used"]),
        ("dict", "keys") => (&["PyDictObject"], &["ma_keys"]),
        ("dict", "values") => (&["PyDictObject"], &["ma_values"]),
        ("dict", "mask") => (&["PyDictObject"], &["ma_mask"]),
        ("dict", "table") => (&["PyDictObject"], &["ma_table"]),
        ("dict", "size") => (&["PyDictObject"], &[SIZE]),
        ("dict_keys", "slots") => (KEYS, &["dk_size"]),
        ("dict_keys", "log2_slots") => (KEYS, &["dk_log2_size"]),
        ("dict_keys", "log2_index_bytes") => (KEYS, &["dk_log2_index_bytes"]),
        ("dict_keys", "kind") => (KEYS, &["dk_kind"]),
        ("dict_keys", "usable") => (KEYS, &["dk_usable"]),
        ("dict_keys", "nentries") => (KEYS, &["dk_nentries"]),
        ("dict_keys", "indices") => (KEYS, &["dk_indices"]),
        ("tuple", "items") => (&["PyTupleObject"], &["ob_item"]),
        ("list", "items") => (&["PyListObject"], &["ob_item"]),
        ("int", "tag") => (&["PyLongObject"], &["long_value.lv_tag"]),
        ("int", "digits") => (&["PyLongObject"], &["long_value.ob_digit", "ob_digit"]),
        ("int", "small") => (&["PyIntObject"], &["ob_ival"]),
        ("module", "dict") => (&["PyModuleObject"], &["md_dict"]),
        ("instance", "class") => (&["PyInstanceObject"], &["in_class"]),
        ("instance", "dict") => (&["PyInstanceObject"], &["in_dict"]),
        ("generator", "frame") => (&["PyGenObject"], &["gi_iframe", "gi_frame"]),
        ("generator", "state") => (&["PyGenObject"], &["gi_frame_state", "gi_running"]),
        ("generator", "name") => (&["PyGenObject"], &["gi_name"]),
        ("generator", "qualname") => (&["PyGenObject"], &["gi_qualname"]),
        ("type_object", "subclasses") => (&["PyTypeObject"], &["tp_subclasses"]),
        ("type_object", "bases") => (&["PyTypeObject"], &["tp_bases"]),
        ("type_object", "mro") => (&["PyTypeObject"], &["tp_mro"]),
        ("type_object", "repr") => (&["PyTypeObject"], &["tp_repr"]),
        ("type_object", "weaklistoffset") => (&["PyTypeObject"], &["tp_weaklistoffset"]),
        ("type_object", "heap_name") => (&["PyHeapTypeObject"], &["ht_name"]),
        ("type_object", "heap_qualname") => (&["PyHeapTypeObject"], &["ht_qualname"]),
        ("type_object", "heap_slots") => (&["PyHeapTypeObject"], &["ht_slots"]),
        ("type_object", "c_name") => (&["PyHeapTypeObject"], &["_ht_tpname"]),
        ("code", "consts") => (&["PyCodeObject"], &["co_consts"]),
        ("code", "names") => (&["PyCodeObject"], &["co_names"]),
        ("code", "exceptiontable") => (&["PyCodeObject"], &["co_exceptiontable"]),
        ("generator", "exc_state") => (&["PyGenObject"], &["gi_exc_state"]),
        ("generator", "running") => (&["PyGenObject"], &["gi_running"]),
        ("thread", "exc_info") => (&["PyThreadState"], &["exc_info"]),
        ("thread", "exc_state") => (&["PyThreadState"], &["exc_state"]),
        ("thread", "handled_type") => (&["PyThreadState"], &["exc_type"]),
        ("thread", "handled_value") => (&["PyThreadState"], &["exc_value"]),
        ("thread", "handled_traceback") => (&["PyThreadState"], &["exc_traceback"]),
        ("thread", "raised_type") => (&["PyThreadState"], &["curexc_type"]),
        ("thread", "raised_value") => (&["PyThreadState"], &["curexc_value"]),
        ("thread", "raised_traceback") => (&["PyThreadState"], &["curexc_traceback"]),
        ("thread", "current_exception") => (&["PyThreadState"], &["current_exception"]),
        ("thread", "async_exc") => (&["PyThreadState"], &["async_exc"]),
        ("interpreter", "static_types") => (&["PyInterpreterState"], &["types.builtins.initialized", "types.builtins"]),
        ("interpreter", "extension_types") => (&["PyInterpreterState"], &["types.for_extensions.initialized"]),
        ("interpreter", "import_lock") => (&["PyInterpreterState"], &["imports.lock.mutex"]),
        ("interpreter", "import_lock_thread") => (&["PyInterpreterState"], &["imports.lock.thread"]),
        ("interpreter", "exit_callbacks") => (&["PyInterpreterState"], &["atexit.callbacks"]),
        ("exc_item", "exc_type") => (&["_PyErr_StackItem"], &["exc_type"]),
        ("exc_item", "exc_value") => (&["_PyErr_StackItem"], &["exc_value"]),
        ("exc_item", "exc_traceback") => (&["_PyErr_StackItem"], &["exc_traceback"]),
        ("exc_item", "previous") => (&["_PyErr_StackItem"], &["previous_item"]),
        ("exception", "dict") => (&["PyBaseExceptionObject"], &["dict"]),
        ("exception", "args") => (&["PyBaseExceptionObject"], &["args"]),
        ("exception", "traceback") => (&["PyBaseExceptionObject"], &["traceback"]),
        ("exception", "context") => (&["PyBaseExceptionObject"], &["context"]),
        ("exception", "cause") => (&["PyBaseExceptionObject"], &["cause"]),
        ("exception", "suppress_context") => (&["PyBaseExceptionObject"], &["suppress_context"]),
        ("exception", "size") => (&["PyBaseExceptionObject"], &[SIZE]),
        ("frame_object", "back") => (&["PyFrameObject"], &["f_back"]),
        ("frame_object", "frame") => (&["PyFrameObject"], &["f_frame"]),
        ("frame_object", "lineno") => (&["PyFrameObject"], &["f_lineno"]),
        ("frame_object", "own_frame") => (&["PyFrameObject"], &["_f_frame_data"]),
        ("function", "code") => (&["PyFunctionObject"], &["func_code"]),
        ("function", "globals") => (&["PyFunctionObject"], &["func_globals"]),
        ("function", "name") => (&["PyFunctionObject"], &["func_name"]),
        ("function", "qualname") => (&["PyFunctionObject"], &["func_qualname"]),
        ("function", "defaults") => (&["PyFunctionObject"], &["func_defaults"]),
        ("function", "kwdefaults") => (&["PyFunctionObject"], &["func_kwdefaults"]),
        ("function", "closure") => (&["PyFunctionObject"], &["func_closure"]),
        ("function", "doc") => (&["PyFunctionObject"], &["func_doc"]),
        ("function", "dict") => (&["PyFunctionObject"], &["func_dict"]),
        ("function", "module") => (&["PyFunctionObject"], &["func_module"]),
        ("descriptor", "owner") => (&["PyMemberDescrObject"], &["d_common.d_type", "d_type"]),
        ("descriptor", "name") => (&["PyMemberDescrObject"], &["d_common.d_name", "d_name"]),
        ("descriptor", "member") => (&["PyMemberDescrObject"], &["d_member"]),
        ("code", "monitoring") => (&["PyCodeObject"], &["_co_monitoring"]),
        ("code", "executors") => (&["PyCodeObject"], &["co_executors"]),
        ("code", "extra") => (&["PyCodeObject"], &["co_extra"]),
        ("code", "cell2arg") => (&["PyCodeObject"], &["co_cell2arg"]),
        ("code", "opcache") => (&["PyCodeObject"], &["co_opcache"]),
        ("code", "opcache_size") => (&["PyCodeObject"], &["co_opcache_size"]),
        ("code", "zombie_frame") => (&["PyCodeObject"], &["co_zombieframe"]),
        ("code", "cached") => (&["PyCodeObject"], &["_co_cached"]),
        ("code", "line_array") => (&["PyCodeObject"], &["_co_linearray"]),
        ("monitoring", "lines") => (&["_PyCoMonitoringData"], &["lines"]),
        ("monitoring", "instructions") => {
            (&["_PyCoMonitoringData"], &["per_instruction_opcodes"])
        }
        ("bytearray", "start") => (&["PyByteArrayObject"], &["ob_start", "ob_bytes"]),
        ("memory_view", "view") => (&["PyMemoryViewObject"], &["view"]),
        ("memory_view", "flags") => (&["PyMemoryViewObject"], &["flags"]),
        ("range", "start") => (&["rangeobject"], &["start"]),
        ("range", "stop") => (&["rangeobject"], &["stop"]),
        ("range", "step") => (&["rangeobject"], &["step"]),
        ("range", "length") => (&["rangeobject"], &["length", "len"]),
        ("deque", "left_block") => (&["dequeobject"], &["leftblock"]),
        ("deque", "left_index") => (&["dequeobject"], &["leftindex"]),
        ("deque", "length") => (&["dequeobject"], &["len"]),
        ("deque", "maxlen") => (&["dequeobject"], &["maxlen"]),
        ("deque", "free_blocks") => (&["dequeobject"], &["numfreeblocks"]),
        ("deque_block", "data") => (&["struct BLOCK", "struct _block", "block", "struct block"], &["data"]),
        ("deque_block", "right") => (&["struct BLOCK", "struct _block", "block", "struct block"], &["rightlink"]),
        ("frame", "valuestack") => (&["PyFrameObject"], &["f_valuestack"]),
        ("frame", "iblock") => (&["PyFrameObject"], &["f_iblock"]),
        ("frame", "blockstack") => (&["PyFrameObject"], &["f_blockstack"]),
        ("lock", "lock") => (&["lockobject"], &["lock_lock"]),
        ("lock", "mutex") => (&["lockobject"], &["lock._bits", "lock"]),
        ("lock", "locked") => (&["lockobject"], &["locked"]),
        ("rlock", "lock") => (&["rlockobject"], &["rlock_lock"]),
        ("rlock", "mutex") => (&["rlockobject"], &["lock.mutex._bits", "lock.mutex"]),
        ("rlock", "owner") => (&["rlockobject"], &["rlock_owner", "lock.thread"]),
        ("rlock", "count") => (&["rlockobject"], &["rlock_count", "lock.level"]),
        ("runtime", "stoptheworld_mutex") => (RUNTIME, &["stoptheworld_mutex"]),
        ("runtime", "stoptheworld") => (RUNTIME, &["stoptheworld"]),
        ("interpreter", "stoptheworld") => (&["PyInterpreterState"], &["stoptheworld"]),
        ("thread", "critical_section") => (&["PyThreadState"], &["critical_section"]),
        ("object", "mutex") => (&["PyObject"], &["ob_mutex"]),
        ("stop_the_world", "requested") => (WORLD, &["requested"]),
        ("stop_the_world", "world_stopped") => (WORLD, &["world_stopped"]),
        ("stop_the_world", "stop_event") => (WORLD, &["stop_event"]),
        ("stop_the_world", "countdown") => (WORLD, &["thread_countdown"]),
        ("stop_the_world", "requester") => (WORLD, &["requester"]),
        ("critical_section", "previous") => (&["PyCriticalSection2"], &["_cs_base._cs_prev"]),
        ("critical_section", "mutex") => (&["PyCriticalSection2"], &["_cs_base._cs_mutex"]),
        ("critical_section", "second") => (&["PyCriticalSection2"], &["_cs_mutex2"]),
        ("runtime_mutexes", "interpreters") => (RUNTIME, &["interpreters.mutex"]),
        ("runtime_mutexes", "allocators") => (RUNTIME, &["allocators.mutex"]),
        ("runtime_mutexes", "atexit") => (RUNTIME, &["atexit.mutex"]),
        ("runtime_mutexes", "extensions") => (RUNTIME, &["imports.extensions.mutex"]),
        ("runtime_mutexes", "pending_calls") => (RUNTIME, &["ceval.pending_mainthread.mutex"]),
        ("runtime_mutexes", "audit_hooks") => (RUNTIME, &["audit_hooks.mutex"]),
        ("runtime_mutexes", "string_ids") => (RUNTIME, &["unicode_state.ids.mutex"]),
        ("interpreter_mutexes", "pending_calls") => (&["PyInterpreterState"], &["ceval.pending.mutex"]),
        ("interpreter_mutexes", "quiescence") => (&["PyInterpreterState"], &["qsbr.mutex"]),
        ("interpreter_mutexes", "constants") => (&["PyInterpreterState"], &["code_state.mutex"]),
        ("interpreter_mutexes", "delayed_frees") => (&["PyInterpreterState"], &["mem_free_queue.mutex"]),
        ("interpreter_mutexes", "types") => (&["PyInterpreterState"], &["types.mutex"]),
        ("interpreter_mutexes", "warnings") => (&["PyInterpreterState"], &["warnings.mutex"]),
        ("interpreter_mutexes", "codecs") => (&["PyInterpreterState"], &["codecs.search_path_mutex"]),
        ("interpreter_mutexes", "functions") => (&["PyInterpreterState"], &["func_state.mutex"]),
        ("interpreter_mutexes", "asyncio_tasks") => (&["PyInterpreterState"], &["asyncio_tasks_lock"]),
        ("interpreter_mutexes", "dict_watchers") => (&["PyInterpreterState"], &["dict_state.watcher_mutex"]),
        ("interpreter_mutexes", "unique_ids") => (&["PyInterpreterState"], &["unique_ids.mutex"]),
        ("interpreter_mutexes", "bytecode_copies") => (&["PyInterpreterState"], &["tlbc_indices.mutex"]),
        ("interpreter_mutexes", "interned_strings") => (&["PyInterpreterState"], &["cached_objects.interned_mutex"]),
        ("owned_mutexes", "warnings") => (&["PyInterpreterState"], &["warnings.lock"]),
        ("recursive_mutex", "thread") => (&["_PyRecursiveMutex"], &["thread"]),
        ("buffered", "raw") => (&["buffered"], &["raw"]),
        ("buffered", "lock") => (&["buffered"], &["lock"]),
        ("buffered", "owner") => (&["buffered"], &["owner"]),
        _ => return None,
    })
}

/// Fields that have no type or member of their own in the debug information, and why.
const NAMELESS: &[(&str, &str, &str)] = &[
    ("deque", "left_block", IN_AN_EXTENSION),
    ("deque", "left_index", IN_AN_EXTENSION),
    ("deque", "length", IN_AN_EXTENSION),
    ("deque", "maxlen", IN_AN_EXTENSION),
    ("deque_block", "data", IN_AN_EXTENSION),
    ("deque_block", "right", IN_AN_EXTENSION),
    ("buffered", "raw", IN_AN_EXTENSION),
    ("buffered", "lock", IN_AN_EXTENSION),
    ("buffered", "owner", IN_AN_EXTENSION),
];

const IN_AN_EXTENSION: &str = "2.7's deque and buffered files are in extension modules";

/// The file that holds the interpreter: libpython, or the executable.
fn holder(interpreter: &Interpreter) -> PathBuf {
    let python = PathBuf::from(&interpreter.python);
    let lib = python
        .parent()
        .and_then(|bin| bin.parent())
        .map(|top| top.join("lib"));
    let library = lib.and_then(|lib| {
        let mut files = std::fs::read_dir(lib)
            .ok()?
            .flatten()
            .map(|entry| entry.path());
        files.find(|path| path.to_string_lossy().contains(".so.1"))
    });
    library
        .filter(|_| interpreter.has("shared"))
        .unwrap_or(python)
}

/// What gdb says of each field: the first of its C names that exists. Empty without DWARF.
fn by_gdb(interpreter: &Interpreter, fields: &[Value]) -> BTreeMap<(String, String), u64> {
    let mut command = Command::new("gdb");
    command
        .args(["-q", "-batch", "-nx"])
        .arg(holder(interpreter));
    command.env_remove("DEBUGINFOD_URLS");
    let mut asked = Vec::new();
    for row in fields {
        let key = [&row["group"], &row["name"]].map(|word| word.as_str().unwrap_or("").to_owned());
        let Some((types, members)) = names(&key[0], &key[1]) else {
            continue;
        };
        for (kind, member) in types
            .iter()
            .flat_map(|t| members.iter().map(move |m| (t, m)))
        {
            let value = match *member {
                SIZE => format!("sizeof({kind})"),
                _ => format!("&(({kind} *)0)->{member}"),
            };
            // An expression that means nothing prints no line: its number tells whose line it is.
            command.arg("-ex");
            command.arg(format!(
                "printf \"{} %lu\\n\", (unsigned long)({value})",
                asked.len()
            ));
            asked.push(key.clone());
        }
    }
    let output = command.output().expect("gdb is not installed");
    let mut told = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let numbers = line
            .split_once(' ')
            .map(|(n, value)| (n.parse(), value.parse()));
        if let Some((Ok(n), Ok(value))) = numbers
            && let Some([group, name]) = asked.get::<usize>(n)
        {
            told.entry((group.clone(), name.clone())).or_insert(value);
        }
    }
    told
}

/// Checks all fields of one interpreter against its debug information; whether it has any.
fn against_dwarf(interpreter: &Interpreter, answer: &Value, failures: &mut Failures) -> bool {
    let rows = answer["data"]["fields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let told = by_gdb(interpreter, &rows);
    if told.is_empty() {
        return false;
    }
    for row in rows {
        let word = |key: &str| row[key].as_str().unwrap_or("").to_owned();
        let (group, name) = (word("group"), word("name"));
        let nameless = NAMELESS.iter().any(|(g, n, _)| (*g, *n) == (&group, &name));
        let true_value = told.get(&(group.clone(), name.clone())).copied();
        let result = match (row["value"].as_u64(), true_value) {
            (None, None) => Ok(()),
            (Some(_), None) if nameless => Ok(()),
            (shown, told) if shown == told => Ok(()),
            (shown, told) => Err(format!("{shown:?} ({}), DWARF {told:?}", row["source"])),
        };
        failures.check(&format!("{} {group}.{name}", interpreter.id), result);
    }
    true
}

/// Checks that the process states what was measured for the table.
fn against_debug_offsets(answer: &Value) -> Result<(), String> {
    let rows = answer["data"]["fields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if !rows.iter().any(|row| row["source"] == "debug-offsets") {
        return Err("nothing comes from _Py_DebugOffsets".into());
    }
    let notes = answer["notes"].to_string();
    match notes.contains("differs from what was measured") {
        true => Err(notes),
        false => Ok(()),
    }
}

#[test]
fn every_offset_equals_the_debug_information_of_the_interpreter() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let fixture = Fixture::start(interpreter, "deep_recursion", &["3"]);
        let answer = match Pydbg::live(fixture.pid(), &[], "info layout") {
            Ok(answer) => answer,
            Err(why) => {
                failures.check(&interpreter.id, Err(why));
                continue;
            }
        };
        let states = interpreter.version >= (3, 13);
        if states {
            failures.check(&interpreter.id, against_debug_offsets(&answer));
        }
        if !against_dwarf(interpreter, &answer, &mut failures) {
            let stripped = interpreter.has("stripped") && states;
            let why = "gdb finds no debug information, and nothing else tells".to_owned();
            failures.check(&interpreter.id, if stripped { Ok(()) } else { Err(why) });
            println!("{}: no debug information", interpreter.id);
        }
    }
    failures.finish();
}
