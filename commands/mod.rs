//! The registry of commands: one file each. A new command is its file and two lines here; tests
//! (`src/registry.rs`) hold the rest: sorted, named once, with a help text and examples.

mod alloc_site;
mod apropos;
mod attach;
mod bt;
mod collections;
mod complete;
mod continue_;
mod core;
mod detach;
mod detach_inferiors;
mod dominators;
mod down;
mod dups;
mod exception;
mod exception_frame;
mod fds;
mod frame;
mod garbage;
mod generate_core_file;
mod heap;
mod heap_diff;
#[cfg(feature = "sql")]
mod heap_export;
mod help;
mod inferior;
mod info_arenas;
mod info_auxv;
mod info_files;
mod info_frame;
mod info_gc;
mod info_inferiors;
mod info_interpreters;
mod info_layout;
mod info_malloc;
mod info_proc;
mod info_pymalloc;
mod info_python;
mod info_registers;
mod info_sharedlibrary;
mod info_signals;
mod info_symbol;
mod info_threads;
mod info_timings;
mod interrupt;
mod leaks;
mod locks;
mod memory;
mod objects;
mod path;
mod process_apply;
mod ps;
mod py_bt;
mod py_bt_full;
mod py_dis;
mod py_down;
mod py_frame;
mod py_list;
mod py_locals;
mod py_print;
mod py_up;
mod quit;
mod refcount_audit;
mod referents;
mod referrers;
mod retained;
mod set;
mod shell;
mod show;
mod signal;
mod source;
mod stacks;
mod thread;
mod thread_apply;
mod thread_find;
mod tracemalloc;
mod up;
mod watch;
mod whatis;
mod x;

use crate::cli::Command;

/// Every command, in alphabetical order.
pub const ALL: &[Command] = &[
    Command::of::<alloc_site::AllocSite>(),
    Command::of::<apropos::Apropos>(),
    Command::of::<attach::Attach>(),
    Command::of::<bt::Bt>(),
    Command::of::<collections::Collections>(),
    Command::of::<complete::Complete>(),
    Command::of::<continue_::Continue>(),
    Command::of::<core::Core>(),
    Command::of::<detach::Detach>(),
    Command::of::<detach_inferiors::DetachInferiors>(),
    Command::of::<dominators::Dominators>(),
    Command::of::<down::Down>(),
    Command::of::<dups::Dups>(),
    Command::of::<exception::Exception>(),
    Command::of::<exception_frame::ExceptionFrame>(),
    Command::of::<fds::Fds>(),
    Command::of::<frame::Frame>(),
    Command::of::<garbage::ShowGarbage>(),
    Command::of::<generate_core_file::GenerateCoreFile>(),
    Command::of::<heap::Heap>(),
    Command::of::<heap_diff::HeapDiff>(),
    #[cfg(feature = "sql")]
    Command::of::<heap_export::HeapExport>(),
    Command::of::<help::Help>(),
    Command::of::<inferior::InferiorCommand>(),
    Command::of::<info_arenas::InfoArenas>(),
    Command::of::<info_auxv::InfoAuxv>(),
    Command::of::<info_files::InfoFiles>(),
    Command::of::<info_frame::InfoFrame>(),
    Command::of::<info_gc::InfoGc>(),
    Command::of::<info_inferiors::InfoInferiors>(),
    Command::of::<info_interpreters::InfoInterpreters>(),
    Command::of::<info_layout::InfoLayout>(),
    Command::of::<info_malloc::InfoMalloc>(),
    Command::of::<info_proc::InfoProc>(),
    Command::of::<info_pymalloc::InfoPymalloc>(),
    Command::of::<info_python::InfoPython>(),
    Command::of::<info_registers::InfoRegisters>(),
    Command::of::<info_sharedlibrary::InfoSharedlibrary>(),
    Command::of::<info_signals::InfoSignals>(),
    Command::of::<info_symbol::InfoSymbol>(),
    Command::of::<info_threads::InfoThreads>(),
    Command::of::<info_timings::InfoTimings>(),
    Command::of::<interrupt::Interrupt>(),
    Command::of::<leaks::LeaksCommand>(),
    Command::of::<locks::LocksCommand>(),
    Command::of::<memory::Memory>(),
    Command::of::<objects::Objects>(),
    Command::of::<path::Path>(),
    Command::of::<process_apply::ProcessApply>(),
    Command::of::<ps::Ps>(),
    Command::of::<py_bt::PyBt>(),
    Command::of::<py_bt_full::PyBtFull>(),
    Command::of::<py_dis::PyDis>(),
    Command::of::<py_down::PyDown>(),
    Command::of::<py_frame::PyFrame>(),
    Command::of::<py_list::PyList>(),
    Command::of::<py_locals::PyLocals>(),
    Command::of::<py_print::PyPrint>(),
    Command::of::<py_up::PyUp>(),
    Command::of::<quit::Quit>(),
    Command::of::<refcount_audit::RefcountAudit>(),
    Command::of::<referents::Referents>(),
    Command::of::<referrers::Referrers>(),
    Command::of::<retained::Retained>(),
    Command::of::<set::Set>(),
    Command::of::<shell::Shell>(),
    Command::of::<show::Show>(),
    Command::of::<signal::Signal>(),
    Command::of::<source::Source>(),
    Command::of::<stacks::Stacks>(),
    Command::of::<thread::Thread>(),
    Command::of::<thread_apply::ThreadApply>(),
    Command::of::<thread_find::ThreadFind>(),
    Command::of::<tracemalloc::Tracemalloc>(),
    Command::of::<up::Up>(),
    Command::of::<watch::Watch>(),
    Command::of::<whatis::Whatis>(),
    Command::of::<x::X>(),
];
