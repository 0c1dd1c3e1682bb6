//! The table of all memory.

use super::heap::percent;
use crate::cli::{Out, Report, Style};
use pydbg::diag::{Note, human};
use pydbg::findings::Finding;
use pydbg::memory::{Memory, Row};
use pydbg::target::resident::Basis;
use serde_json::Value;
use std::io;

/// The most mappings that are listed.
const MOST_MAPPINGS: usize = 20;

/// An answer of `memory`.
pub struct Waterfall {
    /// The table.
    pub memory: Memory,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// Whether mappings are listed.
    pub mappings: bool,
}

impl Waterfall {
    /// What the numbers are called.
    fn heading(&self) -> (&'static str, &'static str) {
        match self.memory.basis {
            Basis::Resident => ("Resident", "resident"),
            Basis::Dumped => ("In core", "in the core"),
        }
    }

    fn verdict(&self, out: &mut Out<'_>) -> io::Result<()> {
        for finding in &self.findings {
            out.end()?;
            out.styled(Style::Strong, "verdict: ")?;
            out.target(&finding.words)?;
            out.put(format_args!(".\n"))?;
            for line in &finding.evidence {
                out.put(format_args!("  - "))?;
                out.target(line)?;
                out.end()?;
            }
            if !finding.next.is_empty() {
                out.put(format_args!("  next: "))?;
                out.target(&finding.next.join("; "))?;
                out.end()?;
            }
        }
        Ok(())
    }

    fn list(&self, out: &mut Out<'_>) -> io::Result<()> {
        let (memory, (column, _)) = (&self.memory, self.heading());
        out.put(format_args!(
            "\nMappings that no allocator speaks for:\n{column:>12} {:>12}  Address\n",
            "Reserved"
        ))?;
        for area in memory.mappings.iter().take(MOST_MAPPINGS) {
            out.put(format_args!(
                "{:>12} {:>12}  {} {}",
                human(area.resident),
                human(area.size),
                area.start,
                area.what.words()
            ))?;
            if let Some(name) = &area.name {
                out.put(format_args!(": "))?;
                out.target(name)?;
            }
            out.end()?;
        }
        match memory.mappings.len().saturating_sub(MOST_MAPPINGS) {
            0 => Ok(()),
            more => out.put(format_args!("… {more} more mappings\n")),
        }
    }

    fn row(&self, out: &mut Out<'_>, row: &Row) -> io::Result<()> {
        out.put(format_args!(
            "{:>12} {:>5.1} {:>12} {:>10}  {}\n",
            human(row.resident),
            percent(row.resident, self.memory.total),
            human(row.size),
            row.count,
            row.what.words(),
        ))
    }
}

impl Report for Waterfall {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let memory = &self.memory;
        let (column, words) = self.heading();
        out.put(format_args!("Memory: {} {words}", human(memory.total)))?;
        if memory.swapped > 0 {
            out.put(format_args!(", {} in swap", human(memory.swapped)))?;
        }
        if let Some(server) = &memory.other_malloc {
            out.put(format_args!(
                "\nmalloc is served by {} (",
                server.library.name()
            ))?;
            out.target(&server.path)?;
            out.put(format_args!("): used and free are not told apart"))?;
        }
        out.put(format_args!(
            "\n{column:>12}     % {:>12} {:>10}  What\n",
            "Reserved", "Count"
        ))?;
        for row in &memory.rows {
            self.row(out, row)?;
        }
        let sum = memory.sum();
        out.put(format_args!(
            "{:>12} {:>5.1} {:>12} {:>10}  together\n",
            human(sum),
            percent(sum, memory.total),
            "",
            ""
        ))?;
        if self.mappings {
            self.list(out)?;
        }
        self.verdict(out)
    }

    fn json(&self) -> Value {
        let mut data = serde_json::to_value(&self.memory).unwrap_or_default();
        if let Some(data) = data.as_object_mut() {
            let findings = serde_json::to_value(&self.findings).unwrap_or_default();
            data.insert("findings".into(), findings);
        }
        data
    }

    fn notes(&self) -> Vec<Note> {
        let problems = self
            .memory
            .problems
            .iter()
            .map(|problem| Note::partial(problem.clone()));
        problems.collect()
    }
}
