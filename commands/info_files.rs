//! `info files`: where everything that is known about the target comes from.

use crate::cli::banner::when;
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use pydbg::native::Process;
use pydbg::target::Origin;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// Print which files the target consists of.
///
/// Names the core or process, the executable with its entry point, and the memory by file.
/// For symbols see "info sharedlibrary", for each mapping "info proc mappings".
///
/// Examples:
///     info files
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoFiles {}

/// AT_ENTRY: the entry point of the executable.
const AT_ENTRY: u64 = 9;

impl Run for InfoFiles {
    const NAME: &'static str = "info files";
    const ALIASES: &'static [&'static str] = &["info target"];
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Target;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(Files(session.process()?.clone())))
    }
}

/// The target's files.
struct Files(Arc<Process>);

impl Files {
    /// How many bytes are mapped, of files and anonymously.
    fn bytes(&self) -> (u64, u64) {
        let mut bytes = (0u64, 0u64);
        for mapping in &self.0.target.mappings {
            let sum = match mapping.file() {
                Some(_) => &mut bytes.0,
                None => &mut bytes.1,
            };
            *sum = sum.saturating_add(mapping.len());
        }
        bytes
    }
}

impl Report for Files {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let target = &self.0.target;
        if let Some(exe) = &target.process.exe {
            out.put(format_args!("Symbols from \""))?;
            out.target(exe)?;
            out.put(format_args!("\".\n"))?;
        }
        match &target.origin {
            Origin::Core(path) => {
                out.put(format_args!("Local core dump file:\n\t`"))?;
                out.target(&path.to_string_lossy())?;
                out.put(format_args!("', file type elf64-x86-64.\n"))?;
            }
            Origin::Live(pid) => out.put(format_args!("Live process {pid}.\n"))?,
            Origin::Snapshot(taken) => out.put(format_args!(
                "Snapshot of process {}, {}.\n",
                taken.pid,
                when(taken)
            ))?,
            Origin::Synthetic => out.put(format_args!("Built in memory.\n"))?,
        }
        if let Some(entry) = target.aux(AT_ENTRY) {
            out.put(format_args!("\tEntry point: {entry:#x}\n"))?;
        }
        for image in &self.0.images.all {
            out.put(format_args!(
                "\t{:#018x} - {:#018x} is ",
                image.start.0, image.end.0
            ))?;
            out.target(&image.path)?;
            out.end()?;
        }
        let (files, anonymous) = self.bytes();
        out.put(format_args!(
            "{} mappings: {} KiB of files, {} KiB of other memory.\n",
            target.mappings.len(),
            files / 1024,
            anonymous / 1024
        ))
    }

    fn json(&self) -> Value {
        let target = &self.0.target;
        let images: Vec<Value> = self
            .0
            .images
            .all
            .iter()
            .map(|image| json!({ "path": image.path, "start": image.start, "end": image.end }))
            .collect();
        let (files, anonymous) = self.bytes();
        json!({
            "origin": target.origin,
            "exe": target.process.exe,
            "entry": target.aux(AT_ENTRY).map(pydbg::Addr),
            "images": images,
            "mapped_file_bytes": files,
            "other_bytes": anonymous,
        })
    }
}
