//! `alloc-site`: where the block at an address was allocated, if the target traces that.

use crate::cli::render::address;
use crate::cli::render::traced::TracedBlock;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::Context;
use pydbg::python::tracemalloc::Traces;
use std::sync::Arc;

/// Show where an object or block was allocated, if the target traces that.
///
/// ADDRESS may lie anywhere in the block. What is shown is what tracemalloc.get_object_traceback()
/// would tell; see "help tracemalloc" for what that needs.
///
/// Examples:
///     alloc-site 0x7f8d604a3f10
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct AllocSite {
    /// The address
    #[arg(value_name = "ADDRESS", required = true, allow_hyphen_values = true)]
    address: String,
}

impl Run for AllocSite {
    const NAME: &'static str = "alloc-site";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;
    const RAW: bool = true;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let addr = address::evaluate(session, &self.address)?;
        let python = Arc::clone(session.python()?);
        let traces = Traces::read(&python)?;
        let block = traces.at(addr).with_context(|| {
            format!("tracemalloc knows of no block at {addr}: it was not tracing yet, or nothing is there.")
        })?;
        Ok(Box::new(TracedBlock(block)))
    }
}
