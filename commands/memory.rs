//! `memory`: where all memory of the process is.

use crate::cli::render::heap::one::of_references;
use crate::cli::render::waterfall::Waterfall;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::Context;
use pydbg::findings;
use pydbg::memory::Memory as Table;

/// Show where all memory of the process is, in one table that adds up.
///
/// For a live process the table adds up to its resident set (RSS), for a core to the bytes that it
/// holds. Each byte is counted once, by whoever knows it best: the blocks of Python's allocator and
/// of malloc with the objects that have them, the free blocks between them, the stacks of threads
/// and frames, the files that are mapped, memory that is shared. The second column of sizes has
/// what is reserved for it in the address space.
///
/// Examples:
///     memory               the table
///     memory --mappings    also the mappings that no allocator speaks for
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Memory {
    /// Also list the mappings that no allocator speaks for, the largest first
    #[arg(long)]
    mappings: bool,
}

impl Run for Memory {
    const NAME: &'static str = "memory";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let heap = session.heap()?;
        let memory = Table::of(&heap).context("the memory map of the process cannot be read")?;
        let table = Waterfall {
            findings: findings::of_memory(&heap, &memory),
            memory,
            mappings: self.mappings,
        };
        Ok(of_references(&heap, table))
    }
}
