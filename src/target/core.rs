//! Core files: the kernel's, gcore's and pydbg's own, snapshots among these. This file puts a
//! [`Target`] together; the pieces are the ELF frame (`corefile.rs`), the notes, the address space
//! and the splice of core and files.

use super::cmdline::{self, AT_ENTRY, AT_EXECFN, AT_PHDR, AT_RANDOM, AT_SYSINFO_EHDR};
use super::corefile::{self, CoreFile, Load};
use super::dumped::Dumped;
use super::files::{FileProblem, Files, MappedFile, Place};
use super::left_out;
use super::notes::{self, CoreNotes};
use super::ntfile::{FileEntry, FileTable};
use super::packed::{self, Format};
use super::proc_note::{Kept, apply};
use super::segments::{self, Facts, Source, Space};
use super::splice::Splice;
use super::{
    Mapping, Memory, OpenError, Options, Origin, ProcessInfo, SignalInfo, Taken, Target,
    TargetThread, unstated,
};
use crate::addr::Addr;
use crate::diag::Notes;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// How many segments that were cut off are named one by one.
const MOST_CUT_NAMED: usize = 16;
/// How far above the executable the heap may start: Linux's `arch_randomize_brk` on x86-64.
const HEAP_WITHIN: u64 = (1 << 30) + (32 << 20);

/// Opens a core file.
pub fn open(path: &Path, options: &Options) -> Result<Target, OpenError> {
    let cannot = |why| OpenError::File {
        path: path.to_owned(),
        why,
    };
    let core = MappedFile::open(path, Place::Here)
        .map_err(|problem| cannot(cannot_open(path, &problem)))?;
    let diag = Notes::default();
    let core = match Format::of(core.bytes()) {
        Some(format) => packed::unpack(&core, format, options, &diag).map_err(cannot)?,
        None => core,
    };
    let files = Files::new(options.clone(), None, &diag);
    read(core, path, files, diag)
}

/// A live process whose core was written to a file without a name.
pub(crate) struct Copied<'f> {
    /// The core.
    pub(crate) file: &'f File,
    /// The process, in pydbg's own PID namespace.
    pub(crate) pid: i32,
    /// How long it stood still, in microseconds.
    pub(crate) pause_us: u64,
    /// Opens what is mapped in it, and writes down in the notes what it notices.
    pub(crate) files: Files,
    /// What was noticed.
    pub(crate) notes: Notes,
}

/// Opens the core of a process that runs on as a snapshot of it.
pub(crate) fn open_copied(copied: Copied<'_>) -> Result<Target, OpenError> {
    let Copied { pid, pause_us, .. } = copied;
    let path = PathBuf::from(format!("snapshot of process {pid}"));
    let core = MappedFile::of(copied.file, path.clone(), Place::Here);
    let core = core.map_err(|problem| OpenError::File {
        path: path.clone(),
        why: problem.to_string(),
    })?;
    let mut target = read(core, &path, copied.files, copied.notes)?;
    let moment = target.kept.as_ref().and_then(|kept| kept.moment());
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let taken = moment.map_or_else(|| now().unwrap_or_default(), |moment| moment.realtime);
    target.origin = Origin::Snapshot(Taken {
        pid,
        taken_us: u64::try_from(taken.as_micros()).unwrap_or(u64::MAX),
        pause_us,
    });
    Ok(target)
}

/// Reads a core; `path` is what it is called.
fn read(core: MappedFile, path: &Path, files: Files, diag: Notes) -> Result<Target, OpenError> {
    core.expect_scattered_reads();
    let refuse = |why| OpenError::NotACore {
        path: path.to_owned(),
        why,
    };
    let mut frame = corefile::parse(core.bytes(), &diag).map_err(refuse)?;
    let notes = notes(core.bytes(), &frame, &diag);
    if let Some(doubt) = frame.doubts.first() {
        if !notes.is_core() {
            return Err(refuse(doubt.refusal.clone()));
        }
        let fields: Vec<&str> = frame.doubts.iter().map(|d| d.field.as_str()).collect();
        diag.partial(format!(
            "the core's ELF header is damaged ({}); it is read as an x86-64 core all the same, \
             because it has the notes of one",
            fields.join(", ")
        ));
    }
    notes.report(&diag);
    let kept = notes.proc_note.as_deref();
    let kept = kept.map(|content| Arc::new(Kept::read(content, &diag)));
    let clipped = segments::apart(&mut frame.loads);
    if clipped > 0 {
        diag.partial(format!("{clipped} of the core's segments overlap others"));
    }
    let table = notes.files.as_ref();
    say_files(table, &diag);
    let entries: &[FileEntry] = table.map_or(&[], |table| &table.entries);
    let facts = Facts {
        len: core.bytes().len(),
        anonymous_is_zero: table.is_some_and(|table| table.damage.is_none())
            && anonymous_dumped(&notes, &frame.loads, entries, &diag),
    };
    let mut space = segments::build(&frame.loads, entries, facts);
    unstated::fill(&mut space, core.bytes());
    let opener = Arc::new(files);
    let Space {
        mut mappings,
        mut pieces,
        backings,
        ..
    } = space;
    left_out::apply(&notes.left_out, &mut pieces, &diag);
    let from = |wanted: fn(&Source) -> bool| -> Vec<Range<u64>> {
        let found = pieces.iter().filter(|piece| wanted(&piece.source));
        found.map(|piece| piece.start..piece.end).collect()
    };
    let cut = from(|source| *source == Source::Cut);
    let dumped = pieces.iter().filter_map(|piece| match piece.source {
        Source::Core(offset) => Some(Dumped {
            range: piece.start..piece.end,
            offset: offset as u64,
        }),
        _ => None,
    });
    let dumped: Vec<Dumped> = dumped.collect();
    let memory = Splice::new(core, pieces, backings, Arc::clone(&opener), diag.clone());
    let stack = stack(&notes, &mappings).or_else(|| highest_stack(&memory, &mappings));
    let (auxv_at, auxv) = find_auxv(&memory, stack.as_ref(), &notes, &diag);
    let exe = exe(&memory, &mappings, &auxv);
    if let Some(exe) = &exe {
        opener.set_exe(exe);
    }
    name_mappings(&mut mappings, &auxv, stack.as_ref(), exe.as_deref());
    say_cut(&cut, &mappings, &diag);
    let mut process = process(&memory, &notes, stack, auxv_at, exe, &diag);
    let mut threads = threads(&notes);
    if let Some(kept) = &kept {
        mappings = apply::mappings(kept, &dumped, &diag).unwrap_or(mappings);
        apply::threads(kept, &mut threads);
        apply::process(kept, &mut process);
    }
    Ok(Target {
        origin: Origin::Core(path.to_owned()),
        memory: Arc::new(memory),
        mappings,
        signal: signal(&notes, &diag),
        threads,
        process,
        auxv,
        files: opener,
        notes: diag,
        dumped,
        kept,
        live: None,
    })
}

/// Why the core cannot even be mapped, and what to try.
fn cannot_open(path: &Path, problem: &FileProblem) -> String {
    let is_dir = path.is_dir();
    match problem {
        FileProblem::NotRegular if is_dir => {
            "is a directory; give the core file itself (see /proc/sys/kernel/core_pattern)".into()
        }
        FileProblem::NotRegular => {
            "is not a regular file; save its contents to a file and open that".into()
        }
        FileProblem::Missing => {
            "no such file (see /proc/sys/kernel/core_pattern for where cores go)".into()
        }
        FileProblem::Io(error) => {
            format!("{error}; cores are readable only by the user whose process it was")
        }
        FileProblem::BuildId { .. } | FileProblem::Servers { .. } => problem.to_string(),
    }
}

/// Reads the notes, from the gaps too when the program headers do not lead to all of them.
fn notes(core: &[u8], frame: &CoreFile, diag: &Notes) -> CoreNotes {
    let read = |ranges: &[Range<usize>]| {
        let mut notes = CoreNotes::default();
        for range in ranges {
            notes.read(core.get(range.clone()).unwrap_or_default());
        }
        notes
    };
    let stated = read(&frame.notes);
    let exact =
        |range: &Range<usize>| notes::starts(core, range.start) && !notes::starts(core, range.end);
    let stated_well = !frame.notes.is_empty() && frame.notes.iter().all(exact);
    if stated_well && !stated.are_damaged() {
        return stated;
    }
    let found = read(&frame.gaps);
    if found.threads.len() <= stated.threads.len() {
        return stated;
    }
    diag.partial("the core's program headers do not say where its notes are; they were searched");
    found
}

fn say_files(table: Option<&FileTable>, diag: &Notes) {
    match table {
        None => diag.partial("the core does not say which files were mapped (no NT_FILE)"),
        Some(FileTable {
            damage: Some(damage),
            ..
        }) => diag.partial(format!(
            "the core's list of mapped files is damaged: {damage}"
        )),
        Some(_) => {}
    }
}

/// Whether anonymous memory was dumped: a stack is always written to, so one that was left out
/// means that the coredump_filter excluded it, and then nothing left out is known to be zero.
fn anonymous_dumped(notes: &CoreNotes, loads: &[Load], files: &[FileEntry], diag: &Notes) -> bool {
    let mut left_out = false;
    for sp in notes.threads.iter().filter_map(|t| t.registers?.sp()) {
        let at = loads.partition_point(|load| load.end <= sp.0);
        let load = loads.get(at).filter(|load| load.start <= sp.0);
        match load {
            Some(load) if load.in_file > 0 => return true,
            Some(_) => left_out |= !files.iter().any(|f| f.start <= sp.0 && sp.0 < f.end),
            None => {}
        }
    }
    if left_out {
        diag.partial(
            "the core was written without anonymous memory (see /proc/PID/coredump_filter): \
             stacks and heaps are missing",
        );
    }
    !left_out
}

/// The initial stack: the mapping with the strings the kernel put there, else the one the main
/// thread stands on.
fn stack(notes: &CoreNotes, mappings: &[Mapping]) -> Option<Range<u64>> {
    let aux = |kind| {
        notes
            .auxv
            .iter()
            .find(|(k, _)| *k == kind)
            .map(|pair| pair.1)
    };
    let strings = [AT_RANDOM, AT_EXECFN].into_iter().filter_map(aux);
    let pid = notes.process.as_ref().map(|process| process.pid);
    let main = notes.threads.iter().find(|thread| Some(thread.tid) == pid);
    let sp = main.and_then(|thread| thread.registers?.sp());
    let stack = strings
        .chain(sp.map(|sp| sp.0))
        .find_map(|at| mapping_at(mappings, at).filter(|m| m.path.is_none()))?;
    Some(stack.start.0..stack.end.0)
}

/// The initial stack when no note leads to it: the highest anonymous mapping that can be written,
/// if it has what the kernel puts there.
fn highest_stack(memory: &dyn Memory, mappings: &[Mapping]) -> Option<Range<u64>> {
    let plain = |mapping: &&Mapping| mapping.write && mapping.path.is_none();
    let mapping = mappings.iter().rfind(plain)?;
    let range = mapping.start.0..mapping.end.0;
    cmdline::recover_auxv(memory, range.clone()).map(|_| range)
}

fn mapping_at(mappings: &[Mapping], at: u64) -> Option<&Mapping> {
    let index = mappings.partition_point(|mapping| mapping.end.0 <= at);
    mappings.get(index).filter(|mapping| mapping.start.0 <= at)
}

/// The auxiliary vector and where it lies on the stack.
fn find_auxv(
    memory: &dyn Memory,
    stack: Option<&Range<u64>>,
    notes: &CoreNotes,
    diag: &Notes,
) -> (Option<Addr>, Vec<(u64, u64)>) {
    if !notes.auxv.is_empty() {
        let at = stack.and_then(|stack| cmdline::find_auxv(memory, stack.clone(), &notes.auxv));
        return (at, notes.auxv.clone());
    }
    match stack.and_then(|stack| cmdline::recover_auxv(memory, stack.clone())) {
        Some((at, auxv)) => {
            diag.info("the core's auxiliary vector is missing; the stack has it");
            (Some(at), auxv)
        }
        None => {
            diag.partial("the core's auxiliary vector is missing");
            (None, Vec::new())
        }
    }
}

/// The executable: the file its program headers are mapped from, else what execve was given.
fn exe(memory: &dyn Memory, mappings: &[Mapping], auxv: &[(u64, u64)]) -> Option<String> {
    const MOST_PATH: usize = 4096;
    let aux = |kind| auxv.iter().find(|(k, _)| *k == kind).map(|pair| pair.1);
    let mapped = [AT_PHDR, AT_ENTRY]
        .into_iter()
        .filter_map(aux)
        .find_map(|at| mapping_at(mappings, at)?.path.clone());
    mapped.or_else(|| {
        let given = memory.cstr(Addr(aux(AT_EXECFN)?), MOST_PATH).ok()?;
        Some(String::from_utf8_lossy(&given).into_owned())
    })
}

/// Names what the kernel would name in /proc/PID/maps, where it can be told.
fn name_mappings(
    mappings: &mut [Mapping],
    auxv: &[(u64, u64)],
    stack: Option<&Range<u64>>,
    exe: Option<&str>,
) {
    const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;
    let vdso = auxv.iter().find(|(kind, _)| *kind == AT_SYSINFO_EHDR);
    let names = [
        (stack.map(|stack| stack.start), "[stack]"),
        (vdso.map(|(_, at)| *at), "[vdso]"),
        (Some(VSYSCALL), "[vsyscall]"),
    ];
    for (start, name) in names {
        let named = mappings.iter_mut().find(|m| Some(m.start.0) == start);
        if let Some(mapping) = named.filter(|mapping| mapping.path.is_none()) {
            mapping.path = Some(name.to_owned());
        }
    }
    // The heap follows the executable at a random distance; what touches it is its .bss.
    let own = |m: &Mapping| exe.is_some() && m.path.as_deref() == exe;
    if let Some(end) = mappings.iter().rev().find(|m| own(m)).map(|m| m.end) {
        let heap = mappings.iter_mut().find(|m| m.start > end);
        let near = |m: &&mut Mapping| m.start.0 - end.0 <= HEAP_WITHIN;
        if let Some(heap) = heap.filter(|m| near(m) && m.write && m.path.is_none()) {
            heap.path = Some("[heap]".to_owned());
        }
    }
}

/// One line for each segment the core should have and is cut before.
fn say_cut(cut: &[Range<u64>], mappings: &[Mapping], diag: &Notes) {
    for range in cut.iter().take(MOST_CUT_NAMED) {
        let mapping = mapping_at(mappings, range.start);
        let name = mapping.and_then(|mapping| mapping.path.as_deref());
        let kind = match mapping.is_some_and(|mapping| mapping.write) {
            true => "data",
            false => "read-only",
        };
        diag.partial(format!(
            "the core file is cut: {:#x}-{:#x} ({}) is missing",
            range.start,
            range.end,
            name.unwrap_or(kind)
        ));
    }
    if let Some(rest) = cut.get(MOST_CUT_NAMED..).filter(|rest| !rest.is_empty()) {
        diag.partial(format!(
            "the core file is cut: {} further ranges are missing",
            rest.len()
        ));
    }
}

/// Who the process was, with its whole command line where the stack has it.
fn process(
    memory: &dyn Memory,
    notes: &CoreNotes,
    stack: Option<Range<u64>>,
    auxv_at: Option<Addr>,
    exe: Option<String>,
    diag: &Notes,
) -> ProcessInfo {
    let known = notes.process.as_ref();
    let args = stack
        .zip(auxv_at)
        .and_then(|(stack, at)| cmdline::args(memory, stack, at));
    let args = match (args, known) {
        (Some(args), _) => args
            .iter()
            .map(|arg| String::from_utf8_lossy(arg).into_owned())
            .collect(),
        (None, Some(known)) => {
            diag.info(
                "the command line is not on the stack; the core's notes have its first 80 bytes, \
                 taken apart at blanks",
            );
            known.psargs.split_whitespace().map(str::to_owned).collect()
        }
        (None, None) => Vec::new(),
    };
    // The main thread is the process's oldest and mostly has its smallest id.
    let smallest = || {
        notes
            .threads
            .iter()
            .map(|t| t.tid)
            .filter(|tid| *tid > 0)
            .min()
    };
    ProcessInfo {
        pid: known.map(|k| k.pid).or_else(smallest).unwrap_or_default(),
        ppid: known.map(|k| k.ppid),
        uid: known.map(|k| k.uid),
        comm: known.map(|k| k.comm.clone()),
        args,
        exe,
    }
}

/// What the process died of. gdb's cores are of living processes, which gdb stops by SIGSTOP;
/// only when the process was caught in a crash is there something to tell.
fn signal(notes: &CoreNotes, diag: &Notes) -> Option<SignalInfo> {
    if notes.by_gdb {
        let mut signals = notes.threads.iter().filter_map(|thread| thread.signal);
        return signals.find(SignalInfo::is_crash);
    }
    let told = notes.threads.iter().find_map(|thread| thread.signal);
    let current = notes.threads.first()?.current_signal;
    if told.is_none() && current > 0 {
        diag.partial("where the signal came from is not known (no NT_SIGINFO)");
        return Some(SignalInfo::bare(current));
    }
    told
}

fn threads(notes: &CoreNotes) -> Vec<TargetThread> {
    let debuggers = |signal: &SignalInfo| notes.by_gdb && !signal.is_crash();
    notes
        .threads
        .iter()
        .map(|thread| TargetThread {
            tid: thread.tid,
            registers: thread.registers,
            signal: thread.signal.filter(|signal| !debuggers(signal)),
            ..TargetThread::default()
        })
        .collect()
}
