//! `info python`: which CPython runs in the target, and how that is known.

use crate::cli::render::interpreter::gil;
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use pydbg::python::{GilState, Python};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// Print which CPython runs in the target and how that is known.
///
/// Examples:
///     info python
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoPython {}

impl Run for InfoPython {
    const NAME: &'static str = "info python";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let missing = session
            .process()?
            .images
            .all
            .iter()
            .filter(|image| image.file().is_err())
            .map(|image| image.path.clone())
            .collect();
        Ok(Box::new(About {
            python: session.python()?.clone(),
            missing,
        }))
    }
}

/// What is known about CPython in the target.
struct About {
    python: Arc<Python>,
    missing: Vec<String>,
}

impl About {
    fn version(&self) -> String {
        let version = &self.python.version;
        match version.micro {
            Some(micro) => format!("{}.{}.{micro}", version.major, version.minor),
            None => format!("{}.{}", version.major, version.minor),
        }
    }

    fn build(&self) -> String {
        let version = &self.python.version;
        let threading = match version.free_threaded {
            true => "free-threaded",
            false => "with a GIL",
        };
        let debug = match version.debug {
            Some(true) => ", a debug build",
            Some(false) => ", a release build",
            None => "",
        };
        format!("{threading}{debug}")
    }
}

impl Report for About {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let runtime = &self.python.runtime;
        let line = |out: &mut Out<'_>, name: &str, text: &str| {
            out.put(format_args!("{name:<14}"))?;
            out.target(text)?;
            out.end()
        };
        line(out, "CPython", &self.version())?;
        line(out, "build", &self.build())?;
        line(out, "known from", &self.python.version.source)?;
        if let Some(addr) = runtime.addr {
            line(out, "runtime at", &addr.to_string())?;
        }
        if let Some(image) = &runtime.image {
            line(out, "in", image)?;
        }
        line(out, "found by", &runtime.source)?;
        let threads: usize = self
            .python
            .interpreters
            .iter()
            .map(|i| i.threads.len())
            .sum();
        line(
            out,
            "interpreters",
            &self.python.interpreters.len().to_string(),
        )?;
        line(out, "thread states", &threads.to_string())?;
        for interpreter in &self.python.interpreters {
            line(out, "GIL", &gil(&interpreter.gil))?;
        }
        for path in &self.missing {
            line(out, "missing file", path)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let python = &self.python;
        let process = &python.process;
        let gils: Vec<&GilState> = python.interpreters.iter().map(|i| &i.gil).collect();
        json!({
            "version": python.version,
            "runtime": python.runtime,
            "signal": process.target.signal,
            "threads": process.threads().len(),
            "gil": gils,
            "missing_files": self.missing,
        })
    }
}
