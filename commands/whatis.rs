//! `whatis`: what lies at an address.

use crate::cli::render::address;
use crate::cli::render::value::{ValueView, limits};
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use pydbg::python::whatis::{self, Whatis as Found};
use serde_json::{Value, json};
use std::io;

/// Tell what lies at an address: a Python object, a block, a stack, a symbol.
///
/// ADDRESS is a sum of numbers, registers of the selected frame and symbols, as for x. It may lie
/// anywhere within the thing. Objects are found through the allocators: the pool of pymalloc, or
/// the chunk of glibc's malloc, that holds the address; in builds without a GIL, which use
/// mimalloc, only by their first address. What an object keeps in a block of its own, such as the
/// items of a list, is said to be a block; whose it is, is not known.
///
/// Examples:
///     whatis 0x7f8d604a3f16
///     whatis $sp+8
///     whatis &_PyRuntime
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Whatis {
    /// The address
    #[arg(value_name = "ADDRESS", allow_hyphen_values = true)]
    address: Option<String>,
}

impl Run for Whatis {
    const NAME: &'static str = "whatis";
    const CLASS: Class = Class::Data;
    const NEEDS: Needs = Needs::Memory;
    const RAW: bool = true;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let addr = address::evaluate(session, self.address.as_deref().unwrap_or_default())?;
        let (found, value) = match session.inferior.found() {
            Some(python) => {
                let found = python.whatis(addr);
                let object = found.object.as_ref().filter(|object| !object.dead);
                let value =
                    object.map(|object| ValueView::of(python, object.start, limits(session)));
                (found, value)
            }
            None => (whatis::native(session.process()?, addr), None),
        };
        Ok(Box::new(Answer { found, value }))
    }
}

struct Answer {
    found: Found,
    value: Option<ValueView>,
}

impl Report for Answer {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.styled(Style::Address, &self.found.address.to_string())?;
        out.put(format_args!(": "))?;
        out.target(&self.found.text)?;
        out.put(format_args!(".\n"))?;
        if let Some(value) = &self.value {
            out.put(format_args!("  "))?;
            out.target(&value.repr)?;
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let mut data = serde_json::to_value(&self.found).unwrap_or_default();
        if let (Some(data), Some(value)) = (data.as_object_mut(), &self.value) {
            data.insert("value".to_owned(), json!(value));
        }
        data
    }
}
