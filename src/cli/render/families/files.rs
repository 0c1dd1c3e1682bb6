//! Files that several processes have open, as they are shown.

use crate::cli::{Out, Report, Style};
use pydbg::diag::{Note, human};
use pydbg::families::{OpenBy, SharedFile, SharedFiles};
use serde_json::Value;
use std::io;

/// The answer about files that several processes have open.
pub struct Shared(pub SharedFiles);

impl Report for Shared {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for verdict in &self.0.verdicts {
            out.styled(Style::Strong, verdict.text())?;
            out.end()?;
        }
        if !self.0.verdicts.is_empty() {
            out.end()?;
        }
        if self.0.files.is_empty() {
            return out.put(format_args!(
                "No file is open in two processes and written by one of them.\n"
            ));
        }
        for file in &self.0.files {
            heading(out, file)?;
            out.put(format_args!("     PID    FD Mode   Position  Process\n"))?;
            for open in &file.open {
                row(out, open)?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    fn notes(&self) -> Vec<Note> {
        match self.0.unreadable.len() {
            0 => Vec::new(),
            count => vec![Note::info(format!(
                "{count} processes may not be looked at"
            ))],
        }
    }
}

/// `/var/log/trace.json, 12 kB, deleted; another file has its path now`.
fn heading(out: &mut Out<'_>, file: &SharedFile) -> io::Result<()> {
    out.styled(Style::File, &file.path)?;
    out.put(format_args!(", {}", human(file.size)))?;
    if file.deleted {
        out.put(format_args!(", deleted"))?;
    }
    if file.replaced {
        out.put(format_args!("; another file has its path now"))?;
    }
    out.end()
}

fn row(out: &mut Out<'_>, open: &OpenBy) -> io::Result<()> {
    let append = if open.append { "a" } else { "" };
    let mode = format!("{}{append}", open.access.letters());
    out.put(format_args!(
        "{:8} {:5} {mode:<4} {:10}  ",
        open.pid, open.fd, open.position
    ))?;
    out.target(open.name.as_deref().unwrap_or("?"))?;
    for lock in &open.locks {
        out.put(format_args!(", "))?;
        out.target(lock)?;
    }
    out.end()
}
