//! `info proc`: the process as the kernel sees it.

use crate::cli::{Class, Needs, Out, Report, Run, Session};
use pydbg::native::Process;
use pydbg::target::{Mapping, Origin};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// Print the process's ids, command line and mappings.
///
/// Examples:
///     info proc
///     info proc mappings
///     info proc all
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoProc {
    /// What to print: the ids (default), the mappings, or both
    #[arg(value_name = "mappings|all", value_parser = what, default_value = "status")]
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Status,
    Mappings,
    All,
}

/// Any beginning of the word will do, as everywhere in gdb.
fn what(text: &str) -> Result<What, String> {
    match text {
        "status" | "stat" | "cmdline" | "exe" => Ok(What::Status),
        text if "mappings".starts_with(text) => Ok(What::Mappings),
        text if "all".starts_with(text) => Ok(What::All),
        text => Err(format!("\"{text}\" is neither \"mappings\" nor \"all\"")),
    }
}

impl Run for InfoProc {
    const NAME: &'static str = "info proc";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Target;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(Proc {
            process: session.process()?.clone(),
            what: self.what,
        }))
    }

    fn complete(_session: &Session, _word: &str) -> Vec<String> {
        vec!["mappings".to_owned(), "all".to_owned()]
    }
}

/// What is known about the process.
struct Proc {
    process: Arc<Process>,
    what: What,
}

impl Proc {
    fn status(&self, out: &mut Out<'_>) -> io::Result<()> {
        let target = &self.process.target;
        let info = &target.process;
        out.put(format_args!("process {}\n", info.pid))?;
        if !info.args.is_empty() {
            out.put(format_args!("cmdline = '"))?;
            out.target(&info.args.join(" "))?;
            out.put(format_args!("'\n"))?;
        }
        for (name, text) in [("exe", &info.exe), ("comm", &info.comm)] {
            if let Some(text) = text {
                out.put(format_args!("{name} = '"))?;
                out.target(text)?;
                out.put(format_args!("'\n"))?;
            }
        }
        if let Some(ppid) = info.ppid {
            out.put(format_args!("parent process = {ppid}\n"))?;
        }
        if let Some(uid) = info.uid {
            out.put(format_args!("user id = {uid}\n"))?;
        }
        out.put(format_args!("threads = {}\n", target.threads.len()))
    }

    fn mappings(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.put(format_args!(
            "Mapped address spaces:\n\n{:>18} {:>18} {:>10} {:>10}  {:5} objfile\n",
            "Start Addr", "End Addr", "Size", "Offset", "Perms"
        ))?;
        for mapping in &self.process.target.mappings {
            out.put(format_args!(
                "{:>18} {:>18} {:>10} {:>10}  {}",
                mapping.start.to_string(),
                mapping.end.to_string(),
                format!("{:#x}", mapping.len()),
                format!("{:#x}", mapping.offset),
                permissions(mapping)
            ))?;
            if let Some(path) = &mapping.path {
                out.put(format_args!("  "))?;
                out.target(path)?;
            }
            if mapping.deleted {
                out.put(format_args!(" (deleted)"))?;
            }
            out.end()?;
        }
        Ok(())
    }
}

/// `r-xp`, as in /proc/PID/maps.
fn permissions(mapping: &Mapping) -> String {
    let flag = |set: bool, letter: char| if set { letter } else { '-' };
    [
        flag(mapping.read, 'r'),
        flag(mapping.write, 'w'),
        flag(mapping.execute, 'x'),
        if mapping.shared { 's' } else { 'p' },
    ]
    .iter()
    .collect()
}

impl Report for Proc {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.what != What::Mappings {
            self.status(out)?;
        }
        if self.what == What::All {
            out.end()?;
        }
        if self.what != What::Status {
            self.mappings(out)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let target = &self.process.target;
        let mut data = json!({ "live": matches!(target.origin, Origin::Live(_)) });
        if let Value::Object(data) = &mut data {
            if let Origin::Snapshot(taken) = target.origin {
                data.insert("snapshot".into(), json!(taken));
            }
            if self.what != What::Mappings {
                data.insert("process".into(), json!(target.process));
                data.insert("threads".into(), json!(target.threads.len()));
            }
            if self.what != What::Status {
                data.insert("mappings".into(), json!(target.mappings));
            }
        }
        data
    }
}
