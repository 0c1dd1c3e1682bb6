//! Puts what the note tells into the target of a core: mappings with their names, names and states of
//! threads, the command line. What the note says and the rest of the core contradicts is not used.

use super::records::ThreadState;
use super::{Kept, names};
use crate::diag::Notes;
use crate::escape;
use crate::target::dumped::Dumped;
use crate::target::{Mapping, ProcessInfo, TargetThread, maps, proc};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// The mappings as the kernel told them, if they have all that the core holds.
pub(in crate::target) fn mappings(
    kept: &Kept,
    dumped: &[Dumped],
    notes: &Notes,
) -> Option<Vec<Mapping>> {
    // Lines of smaps that are none of maps make no sense as such.
    let told = maps::parse(kept.file("smaps").ok()?);
    let apart = told.iter().zip(told.iter().skip(1));
    let sound = told.iter().all(|mapping| mapping.start < mapping.end)
        && apart.fold(true, |sound, (a, b)| sound && a.end <= b.start)
        && dumped.iter().all(|held| is_within(&told, &held.range));
    if !sound {
        notes.partial("the mappings in the core's note of /proc are not those of the core");
    }
    sound.then_some(told)
}

/// Whether a run lies in mappings that touch each other.
pub(in crate::target) fn is_within(mappings: &[Mapping], run: &Range<u64>) -> bool {
    let first = mappings.partition_point(|mapping| mapping.end.0 <= run.start);
    let mut end = run.start;
    for mapping in mappings.iter().skip(first) {
        if mapping.start.0 > end || end >= run.end {
            break;
        }
        end = mapping.end.0;
    }
    end >= run.end
}

/// Names the threads, and says how they were before the stop.
pub(in crate::target) fn threads(kept: &Kept, threads: &mut [TargetThread]) {
    let states = ThreadState::parse(kept.file(names::THREADS).unwrap_or_default());
    let states: FxHashMap<i32, ThreadState> =
        states.into_iter().map(|state| (state.own, state)).collect();
    for thread in threads {
        let Some(state) = states.get(&thread.tid) else {
            continue;
        };
        let file = |name: &str| kept.file(&format!("task/{}/{name}", state.tid)).ok();
        if let Some(name) = file("comm") {
            thread.name = Some(escape::lossy(name.trim_ascii_end()));
        }
        thread.state = state.state;
        if !state.whole {
            let call = file("syscall").and_then(|text| std::str::from_utf8(text).ok());
            thread.registers = call.and_then(proc::registers_of_syscall);
        }
    }
}

/// Says who the process was, where the core's own notes are shorter or missing.
pub(in crate::target) fn process(kept: &Kept, process: &mut ProcessInfo) {
    let arguments = proc::arguments(kept.file("cmdline").unwrap_or_default());
    if arguments.iter().any(|argument| !argument.is_empty()) {
        process.args = arguments;
    }
    let status = kept.file("status").unwrap_or_default();
    let number = |key: &str| {
        let columns = proc::columns(status, key)?;
        columns.first()?.parse::<u32>().ok()
    };
    process.uid = process.uid.or_else(|| number("Uid"));
    let parent = || number("PPid")?.try_into().ok();
    // One in another PID namespace has no id in its own core.
    let known = process.ppid.filter(|ppid| *ppid != 0);
    process.ppid = known.or_else(parent).or(process.ppid);
    let name = || Some(proc::columns(status, "Name")?.join(" "));
    process.comm = process.comm.take().or_else(name);
}

#[cfg(test)]
mod tests {
    use super::super::pack::Packer;
    use super::*;
    use crate::addr::Addr;
    use std::slice::from_ref;

    fn kept(entries: &[(&str, &str)]) -> Kept {
        let mut packer = Packer::new(0);
        for (name, content) in entries {
            packer.text(name, content);
        }
        Kept::read(&packer.finish(), &Notes::default())
    }

    #[test]
    fn mappings_must_have_what_the_core_holds() {
        let smaps = "1000-3000 rw-s 00000000 00:01 7 /dev/shm/x\nRss: 4 kB\n\
                     3000-4000 rw-p 00000000 00:00 0 [heap]\nVmFlags: rd wr\n";
        let kept = kept(&[("smaps", smaps)]);
        let of = |range: Range<u64>| {
            let dumped = Dumped { range, offset: 0 };
            mappings(&kept, from_ref(&dumped), &Notes::default())
        };
        let told = of(0x1000..0x4000).unwrap();
        assert_eq!((told.len(), told[0].shared), (2, true));
        assert_eq!(told[1].path.as_deref(), Some("[heap]"));
        assert_eq!(of(0x3000..0x5000), None);
        assert_eq!(of(0..0x1000), None);
    }

    #[test]
    fn mappings_that_overlap_are_not_used() {
        let smaps = "1000-3000 rw-p 0 00:00 0\n2000-4000 rw-p 0 00:00 0\n";
        let notes = Notes::default();
        assert_eq!(mappings(&kept(&[("smaps", smaps)]), &[], &notes), None);
        assert_eq!(notes.len(), 1);
    }

    #[test]
    fn threads_get_their_names_and_states() {
        let kept = kept(&[
            ("task/4711/comm", "worker\n"),
            (
                "task/8/syscall",
                "230 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffe 0x401000\n",
            ),
            (names::THREADS, "4711 7 S stopped\n8 8 D running\n"),
        ]);
        let mut all = [7, 8, 9].map(|tid| TargetThread {
            tid,
            registers: Some(crate::target::Registers::default()),
            ..TargetThread::default()
        });
        threads(&kept, &mut all);
        let [first, second, third] = all;
        assert_eq!(first.name.as_deref(), Some("worker"));
        assert_eq!((first.tid, first.state), (7, Some('S')));
        assert_eq!(second.registers.unwrap().sp(), Some(Addr(0x7ffe)));
        assert_eq!((third.state, third.name), (None, None));
    }

    #[test]
    fn a_blank_command_line_tells_nothing() {
        let mut info = ProcessInfo {
            args: vec!["python".into()],
            ..ProcessInfo::default()
        };
        process(&kept(&[("cmdline", "\0\0\0")]), &mut info);
        assert_eq!(info.args, ["python"]);
        let told = [("cmdline", "a\0b c\0"), ("status", "Name:\tx\nPPid:\t5\n")];
        process(&kept(&told), &mut info);
        assert_eq!(info.args, ["a", "b c"]);
        assert_eq!((info.ppid, info.comm.as_deref()), (Some(5), Some("x")));
        info.ppid = Some(0);
        process(&kept(&told), &mut info);
        assert_eq!(info.ppid, Some(5));
    }
}
