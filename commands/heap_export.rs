//! `heap export`: the graph of all objects as a file that SQL can be asked of.

use crate::cli::render::heap::doubts;
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::bail;
use pydbg::diag::{Note, Unit, thousands};
use pydbg::heap::export::{ExportError, Exported};
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;

/// Write all objects and references as an SQLite database.
///
/// Its tables are objects (address, type, size, retained size, dominator, generation), edges, types,
/// generations and roots; the view "named" has the objects with their types and addresses in
/// words. The file is made under another name beside FILE and is there as a whole or not at all;
/// only you may read it. One that exists is only written over with --force.
///
/// Examples:
///     heap export heap.db
///     heap export heap.db --force
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct HeapExport {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write over a file that exists
    #[arg(long)]
    force: bool,
}

impl Run for HeapExport {
    const NAME: &'static str = "heap export";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let file = self.file.display();
        // That it may not be written is told before the graph is made.
        if !self.force && self.file.symlink_metadata().is_ok() {
            bail!("{file} exists already; --force writes over it");
        }
        let heap = session.heap()?;
        let exported = match heap.export(&self.file, self.force) {
            Err(ExportError::Exists(_)) => {
                bail!("{file} exists already; --force writes over it")
            }
            exported => exported?,
        };
        Ok(Box::new(Written {
            exported,
            file: file.to_string(),
            notes: doubts(&heap.doubts),
        }))
    }
}

/// What was written.
struct Written {
    exported: Exported,
    file: String,
    notes: Vec<Note>,
}

impl Report for Written {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let number = |count: u64| thousands(count);
        let Exported {
            objects,
            edges,
            types,
            roots,
            bytes,
        } = self.exported;
        out.put(format_args!(
            "Wrote {} objects of {} types, {} references and {} roots to ",
            number(objects),
            number(types),
            number(edges),
            number(roots),
        ))?;
        out.target(&self.file)?;
        out.put(format_args!(" ({}).\n", Unit::Bytes.amount(bytes)))
    }

    fn json(&self) -> Value {
        json!({ "written": self.file, "rows": self.exported })
    }

    fn notes(&self) -> Vec<Note> {
        self.notes.clone()
    }
}
