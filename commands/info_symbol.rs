//! `info symbol`: what lies at an address.

use crate::cli::render::{address, symbol};
use crate::cli::{Class, Needs, Plain, Report, Run, Session};
use pydbg::target::Mapping;
use serde_json::json;

/// Describe what symbol lies at an address.
///
/// ADDRESS is a sum of numbers, registers of the selected frame and symbols.
///
/// Examples:
///     info symbol $pc
///     info symbol 0x7f8d604a3f16
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoSymbol {
    /// The address
    #[arg(value_name = "ADDRESS", allow_hyphen_values = true)]
    address: Option<String>,
}

impl Run for InfoSymbol {
    const NAME: &'static str = "info symbol";
    const CLASS: Class = Class::Data;
    const NEEDS: Needs = Needs::NativeStacks;
    const RAW: bool = true;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let addr = address::evaluate(session, self.address.as_deref().unwrap_or_default())?;
        let process = session.process()?;
        let mapping = process.target.mapping(addr);
        let Some(near) = symbol::near(process, addr) else {
            let place = mapping.map_or("nothing is mapped there".to_owned(), describe);
            return Ok(Box::new(Plain {
                text: format!("No symbol matches {addr}; {place}."),
                data: json!({ "address": addr, "symbol": null, "mapping": mapping }),
            }));
        };
        let offset = match near.offset {
            0 => String::new(),
            offset => format!(" + {offset}"),
        };
        let section = match &near.section {
            Some(section) => format!("in section {section} of"),
            None => "in".to_owned(),
        };
        Ok(Box::new(Plain {
            text: format!("{}{offset} {section} {}", near.name, near.module),
            data: json!({
                "address": addr,
                "symbol": near.name,
                "offset": near.offset,
                "section": near.section,
                "module": near.module,
                "mapping": mapping,
            }),
        }))
    }
}

fn describe(mapping: &Mapping) -> String {
    let offset = format!("{}-{}", mapping.start, mapping.end);
    match &mapping.path {
        Some(path) => format!("it lies in {path}, {offset}"),
        None => format!("it lies in anonymous memory, {offset}"),
    }
}
