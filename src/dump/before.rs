//! What is read of a process before it is stopped for its core, so that it stands still for less:
//! who it is, which mappings must not be read, what it wants to be dumped.

use super::DumpError;
use super::filter::Filter;
use super::plan::estimate;
use super::ps_info::{Ids, ps_info};
use crate::target::Mapping;
use crate::target::OpenError;
use crate::target::proc::Task;
use crate::target::proc_note;
use crate::target::smaps::{self, Smap};
use rustc_hash::FxHashMap;

/// What is known of a process before the stop.
pub(super) struct Before {
    /// Its ids.
    pub(super) ids: Ids,
    /// The content of NT_PRPSINFO.
    pub(super) ps_info: Vec<u8>,
    /// The content of NT_AUXV.
    pub(super) auxv: Vec<u8>,
    /// What goes into the core.
    pub(super) filter: Filter,
    /// How many bytes that is, about.
    pub(super) estimate: u64,
    /// What a stop hides; nothing of a process that is stopped already.
    pub(super) hidden: Option<proc_note::Before>,
    /// The text of smaps.
    pub(super) smaps: Vec<u8>,
    /// What it tells, by the first address of the mapping.
    mappings: FxHashMap<u64, Smap>,
}

impl Before {
    /// Reads what there is to know.
    pub(super) fn read(pid: i32, filter: Option<Filter>) -> Result<Before, DumpError> {
        let task = Task::of(pid);
        let ended = || OpenError::Attach {
            pid,
            why: "there is no such process (or /proc hides those of other users)".into(),
        };
        task.stat().ok_or_else(ended)?;
        // What may not be read is told when the process is attached to.
        let text = task.read("smaps").unwrap_or_default();
        let smaps = smaps::parse(&text);
        let ids = Ids::of(task);
        let own = task.read("coredump_filter").ok();
        let own = own.and_then(|own| String::from_utf8(own).ok());
        let mut before = Before {
            ids,
            ps_info: ps_info(task, ids),
            auxv: task.read("auxv").unwrap_or_default(),
            filter: match filter {
                Some(filter) => filter.or_of(own.as_deref()),
                None => Filter::of_process(own.as_deref()),
            },
            estimate: 0,
            hidden: None,
            smaps: text,
            mappings: smaps.into_iter().map(|smap| (smap.start, smap)).collect(),
        };
        let mappings = task.maps().unwrap_or_default();
        let bytes = mappings
            .iter()
            .map(|m| estimate(m, &before.known(m), before.filter));
        before.estimate = bytes.sum();
        Ok(before)
    }

    /// What is known of a mapping. One that came after is taken for what its name tells.
    pub(super) fn known(&self, mapping: &Mapping) -> Smap {
        let known = self.mappings.get(&mapping.start.0).copied();
        let file = mapping.file().unwrap_or_default();
        known.unwrap_or_else(|| Smap {
            device: file.starts_with("/dev/") && !file.starts_with("/dev/shm/"),
            ..Smap::default()
        })
    }
}
