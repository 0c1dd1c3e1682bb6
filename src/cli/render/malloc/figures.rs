//! The tables of `info malloc`: what each arena has, and blocks by size.

use super::{Malloc, cell, count, size};
use crate::cli::{Out, Report};
use pydbg::diag::Note;
use pydbg::heap::alloc::glibc::Figures;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::io;

/// The most arenas of the text.
const MOST: usize = 64;

/// The figures of malloc.
pub struct FiguresView {
    /// Whose malloc it is.
    pub malloc: Malloc,
    /// The figures.
    pub figures: Figures,
    /// Whether blocks are shown by size.
    pub sizes: bool,
}

impl FiguresView {
    fn summary(&self, out: &mut Out<'_>) -> io::Result<()> {
        let arenas = &self.figures.arenas;
        let sum = |of: fn(&pydbg::heap::alloc::glibc::ArenaFigures) -> u64| -> u64 {
            arenas.iter().map(of).sum()
        };
        let plural = if arenas.len() == 1 { " has" } else { "s have" };
        let (system, used) = (sum(|arena| arena.system), sum(|arena| arena.used.bytes));
        let (free, cached) = (sum(|arena| arena.free()), sum(|arena| arena.cached.bytes));
        out.put(format_args!(
            "{} arena{plural} {} from the system: {} in use, {} free ({} of it in threads' \
             caches).\n",
            arenas.len(),
            size(system),
            size(used),
            size(free),
            size(cached)
        ))?;
        out.put(format_args!(
            "malloc_trim(0) could give back {}, unless it did so before.\n",
            size(sum(|arena| arena.trimmable()))
        ))?;
        out.put(format_args!(
            "Blocks with a mapping of their own: {}, {}.\n",
            self.figures.mapped.count,
            size(self.figures.mapped.bytes)
        ))
    }

    fn arenas(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.put(format_args!(
            "\n{:18} {:>7} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
            "Arena",
            "Threads",
            "Heaps",
            "System",
            "In use",
            "Cached",
            "Fast",
            "Bins",
            "Top",
            "Trim",
            "Pinned"
        ))?;
        for arena in self.figures.arenas.iter().take(MOST) {
            let name = if arena.main {
                "main_arena".to_owned()
            } else {
                arena.address.to_string()
            };
            out.put(format_args!(
                "{name:18} {:>7} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
                arena.attached,
                arena.segments,
                cell(arena.system),
                cell(arena.used.bytes),
                cell(arena.cached.bytes),
                cell(arena.fast.bytes),
                cell(arena.bins.bytes),
                cell(arena.top),
                cell(arena.trimmable()),
                cell(arena.pinned),
            ))?;
        }
        match self.figures.arenas.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => out.put(format_args!("… {more} more\n")),
        }
    }

    fn sizes(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.put(format_args!(
            "\n{:>21} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
            "Size", "In use", "bytes", "Cached", "Fast", "In bins", "bytes"
        ))?;
        // The largest first: what is sought is what there is most of.
        let mut classes: Vec<_> = self.figures.classes.iter().collect();
        classes.sort_by_key(|class| Reverse(class.used.bytes + class.bins.bytes));
        for class in classes {
            let sizes = match class.from == class.to {
                true => class.to.to_string(),
                false => format!("{}-{}", class.from, class.to),
            };
            out.put(format_args!(
                "{sizes:>21} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
                count(class.used.count),
                cell(class.used.bytes),
                count(class.cached.count),
                count(class.fast.count),
                count(class.bins.count),
                cell(class.bins.bytes),
            ))?;
        }
        Ok(())
    }
}

impl Report for FiguresView {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        self.malloc.heading(out)?;
        if self.malloc.glibc.is_none() {
            return Ok(());
        }
        self.summary(out)?;
        self.arenas(out)?;
        if self.sizes {
            self.sizes(out)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let glibc = self.malloc.glibc.as_ref();
        json!({
            "server": self.malloc.server,
            "parameters": glibc.and_then(|glibc| glibc.parameters.as_ref()),
            "arenas": self.figures.arenas,
            "sizes": self.figures.classes,
            "mapped": glibc.map(|glibc| json!({
                "found": glibc.mapped.found,
                "counted": glibc.mapped.counted,
                "certain": glibc.mapped.is_certain(),
            })),
            "caches": glibc.map(|glibc| &glibc.caches),
        })
    }

    fn notes(&self) -> Vec<Note> {
        let partial = |text: &String| Note::partial(text.clone());
        let own = self.figures.problems.iter().map(partial);
        self.malloc.notes().into_iter().chain(own).collect()
    }
}
