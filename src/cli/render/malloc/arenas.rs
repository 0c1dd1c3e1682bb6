//! The table of `info arenas`: each run of memory of each arena, and what keeps it from shrinking.

use super::{Malloc, size};
use crate::cli::render::heap::percent;
use crate::cli::{Out, Report};
use pydbg::diag::Note;
use pydbg::heap::alloc::glibc::{ArenaFigures, Figures, Map, Pin};
use serde_json::{Value, json};
use std::io;

/// The most runs of the text, and the most blocks told for one arena.
const MOST: usize = 200;
const PINS: usize = 3;
/// Blocks that keep less than such a part of what is kept are not told.
const WORTH_TELLING: u64 = 20;

/// The arenas.
pub struct ArenasView {
    /// Whose malloc it is.
    pub malloc: Malloc,
    /// Where what is.
    pub map: Map,
    /// The figures.
    pub figures: Figures,
    /// The file that a picture was written to.
    pub written: Option<String>,
}

impl Report for ArenasView {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if out.wrote("the picture of the arenas", &self.written)? {
            return Ok(());
        }
        self.malloc.heading(out)?;
        if self.map.parts.is_empty() {
            return Ok(());
        }
        out.put(format_args!(
            "{:18} {:18} {:18} {:>9} {:>6} {:>9} {:>12}\n",
            "Arena", "From", "To", "Size", "In use", "Blocks", "Longest free"
        ))?;
        let mut last = None;
        for part in self.map.parts.iter().take(MOST) {
            let arena = self.figures.arenas.get(part.arena);
            let name = match arena {
                _ if last == Some(part.arena) => String::new(),
                Some(arena) if arena.main => "main_arena".to_owned(),
                Some(arena) => arena.address.to_string(),
                None => "?".to_owned(),
            };
            last = Some(part.arena);
            let all = part.used + part.free + part.lost;
            out.put(format_args!(
                "{name:18} {:18} {:18} {:>9} {:>5.0}% {:>9} {:>12}\n",
                part.start.to_string(),
                part.end.to_string(),
                size(all),
                percent(part.used, all),
                part.blocks,
                size(part.longest_free)
            ))?;
        }
        if let Some(more @ 1..) = self.map.parts.len().checked_sub(MOST) {
            out.put(format_args!("… {more} more\n"))?;
        }
        self.pins(out)
    }

    fn json(&self) -> Value {
        json!({
            "server": self.malloc.server,
            "heaps": self.map.parts,
            "arenas": self.figures.arenas,
            "written": self.written,
        })
    }

    fn notes(&self) -> Vec<Note> {
        self.malloc.notes()
    }
}

impl ArenasView {
    /// The arenas that are mostly free, and the blocks at their ends.
    fn pins(&self, out: &mut Out<'_>) -> io::Result<()> {
        let empty =
            |arena: &&ArenaFigures| arena.pinned > arena.system / 2 && !arena.highest.is_empty();
        for arena in self.figures.arenas.iter().filter(empty).take(MOST) {
            let name = if arena.main {
                "main_arena".to_owned()
            } else {
                arena.address.to_string()
            };
            let unused = if arena.attached == 0 {
                ", which no thread uses any more"
            } else {
                ""
            };
            let plural = if arena.used.count == 1 { "" } else { "s" };
            out.put(format_args!(
                "\n{name}{unused}: {} free below its highest block; {} block{plural} in use ({}).\n",
                size(arena.pinned),
                arena.used.count,
                size(arena.used.bytes)
            ))?;
            let counts = |pin: &&Pin| pin.free_below >= arena.pinned / WORTH_TELLING;
            for pin in arena.highest.iter().filter(counts).take(PINS) {
                let state = if pin.cached { "cached" } else { "in use" };
                out.put(format_args!(
                    "    {}: {} bytes, {state}, with {} free directly below\n",
                    pin.address,
                    pin.size,
                    size(pin.free_below)
                ))?;
            }
        }
        Ok(())
    }
}
