//! Instances of types in a table: where they are, how large, and a short `repr`.

use super::list::brief;
use super::{doubts, width};
use crate::cli::render::value::ValueView;
use crate::cli::{Out, Report, Session};
use pydbg::diag::{Note, Severity, thousands};
use pydbg::heap::{Doubts, Heap};
use serde::Serialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::io;
use std::sync::Arc;

/// What instances are sorted by, the largest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// Their size, as sys.getsizeof tells it.
    Size,
    /// What would be freed with them.
    Retained,
    /// How many references lead to them.
    Refs,
}

/// One instance.
#[derive(Serialize)]
struct Instance {
    #[serde(flatten)]
    value: ValueView,
    size: u64,
    retained: Option<u64>,
    refs: Option<u64>,
}

/// How a condition went.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Filtered {
    /// The condition.
    pub condition: String,
    /// For how many objects it failed, and so left them out.
    pub failed: u64,
    /// For how many of these because memory cannot be read, or because of pydbg's own limits.
    pub unknown: u64,
    /// What was wrong the first time.
    pub first: Option<String>,
    /// Whether some objects were not asked about, because the user stopped it.
    pub stopped: bool,
}

/// What instances were asked for.
pub struct Query {
    /// The full names of the types.
    pub names: Vec<Arc<str>>,
    /// How many instances of them there are.
    pub instances: usize,
    /// How the condition went, if there was one.
    pub filtered: Option<Filtered>,
    /// What they are sorted by.
    pub sort: Sort,
    /// How many of them are shown at most.
    pub count: usize,
}

/// Instances of some types.
pub struct InstancesView {
    query: Query,
    /// How many of them fit the condition, and their bytes.
    fitting: usize,
    bytes: u64,
    lines: Vec<Instance>,
    doubts: Doubts,
}

/// Names of types in the heading.
const MOST_NAMES: usize = 3;

impl InstancesView {
    /// The largest of those objects that fit.
    pub fn of(
        session: &Session,
        heap: &Heap,
        query: Query,
        mut fitting: Vec<u32>,
    ) -> InstancesView {
        let Query { sort, count, .. } = query;
        let retained = |id: u32| heap.retained.of(id);
        let refs = |id: u32| heap.referrers.targets_of(id).len() as u64;
        fitting.sort_by_cached_key(|id| {
            let key = match sort {
                Sort::Size => heap.size(*id),
                Sort::Retained => retained(*id),
                Sort::Refs => refs(*id),
            };
            Reverse(key)
        });
        let limits = brief(session);
        let instance = |id: &u32| Instance {
            value: ValueView::of(&heap.python, heap.address(*id), limits),
            size: heap.size(*id),
            retained: (sort == Sort::Retained).then(|| retained(*id)),
            refs: (sort == Sort::Refs).then(|| refs(*id)),
        };
        let sizes = fitting.iter().map(|id| heap.size(*id));
        InstancesView {
            query,
            fitting: fitting.len(),
            bytes: sizes.fold(0, u64::saturating_add),
            lines: fitting.iter().take(count).map(instance).collect(),
            doubts: heap.doubts.clone(),
        }
    }

    /// `120 objects of app.Account`, `3 of 120 objects of 5 types`
    fn heading(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.query.filtered.is_some() {
            out.put(format_args!("{} of ", self.fitting))?;
        }
        let noun = super::objects(self.query.instances as u64);
        out.put(format_args!("{} {noun} of ", self.query.instances))?;
        match self.query.names.as_slice() {
            few if few.len() <= MOST_NAMES => out.target(&few.join(", "))?,
            many => out.put(format_args!("{} types", many.len()))?,
        }
        out.put(format_args!(". Total size = {} bytes.\n", self.bytes))
    }
}

impl Report for InstancesView {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        self.heading(out)?;
        if self.lines.is_empty() {
            return Ok(());
        }
        let most = |part: fn(&Instance) -> u64| self.lines.iter().map(part).max().unwrap_or(0);
        let (size, retained) = (
            most(|line| line.size),
            most(|line| line.retained.unwrap_or(0)),
        );
        let refs = most(|line| line.refs.unwrap_or(0));
        let (size, retained, refs) = (width(size, 8), width(retained, 8), width(refs, 8));
        let several = self.query.names.len() > 1;
        out.put(format_args!("{:<18} {:>size$}", "Address", "Size"))?;
        match self.query.sort {
            Sort::Size => {}
            Sort::Retained => out.put(format_args!(" {:>retained$}", "Retained"))?,
            Sort::Refs => out.put(format_args!(" {:>refs$}", "Refs"))?,
        }
        out.put(format_args!(" Value\n"))?;
        for line in &self.lines {
            let address = line.value.address.to_string();
            out.put(format_args!("{address:<18} {:>size$}", line.size))?;
            if let Some(number) = line.retained {
                out.put(format_args!(" {number:>retained$}"))?;
            }
            if let Some(number) = line.refs {
                out.put(format_args!(" {number:>refs$}"))?;
            }
            out.put(format_args!(" "))?;
            if several {
                out.target(line.value.class.as_deref().unwrap_or("?"))?;
                out.put(format_args!(": "))?;
            }
            out.target(&line.value.repr)?;
            out.end()?;
        }
        match self.fitting.saturating_sub(self.lines.len()) {
            0 => Ok(()),
            left => out.put(format_args!(
                "<{left} more. Show more of them with -n COUNT.>\n"
            )),
        }
    }

    fn json(&self) -> Value {
        json!({
            "types": self.query.names,
            "instances": self.query.instances,
            "count": self.fitting,
            "bytes": self.bytes,
            "sort": self.query.sort,
            "where": self.query.filtered,
            "objects": self.lines,
            "doubts": self.doubts,
        })
    }

    fn notes(&self) -> Vec<Note> {
        let mut notes = doubts(&self.doubts);
        let Some(filtered) = &self.query.filtered else {
            return notes;
        };
        if filtered.failed > 0 {
            let count = thousands(filtered.failed);
            let first = filtered.first.as_deref().unwrap_or("");
            let noun = super::objects(filtered.failed);
            notes.push(Note {
                severity: match filtered.unknown {
                    0 => Severity::Info,
                    _ => Severity::Partial,
                },
                text: format!("left out {count} {noun} for which the condition fails: {first}"),
            });
        }
        if filtered.stopped {
            notes.push(Note::partial(
                "interrupted: not all objects were asked about",
            ));
        }
        notes
    }
}
