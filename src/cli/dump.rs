//! Writing cores of live processes: the options of `generate-core-file` and of `pydbg dump`, which
//! are the same, and what is said of the core.

use super::line::path;
use super::{Out, Report, Session, Style};
use anyhow::anyhow;
use pydbg::diag::{Note, counted, human};
use pydbg::dump::{Blanked, DumpError, Filter, Packing, Pass, Request, Saved, Survey};
use pydbg::target::live::LiveHold;
use pydbg::{lean, redact};
use serde_json::{Value, json};
use std::io;
use std::path::Path;

/// What kind of core is wanted.
#[derive(clap::Args, Clone, PartialEq, Eq, Debug, Default)]
pub struct DumpOptions {
    /// Replace a core file that exists
    #[arg(long)]
    force: bool,
    /// What goes into a core: bits as in /proc/PID/coredump_filter, in hexadecimal; "python", alone or behind
    /// a comma: of that what analysis of Python needs
    #[arg(long, value_name = "MASK")]
    filter: Option<Filter>,
    /// Blank the contents of strings in a core, and arguments and environment
    #[arg(long)]
    redact: bool,
    /// Pack a core: zstd or lz4
    #[arg(long, value_name = "KIND")]
    compress: Option<Packing>,
    /// Have the process fork and dump the copy, so that it stands still for milliseconds; see below
    #[arg(long)]
    fork: bool,
}

impl DumpOptions {
    /// Whether the process is to fork.
    pub fn forks(&self) -> bool {
        self.fork
    }

    /// What of these options a snapshot can have.
    pub fn of_snapshot(&self) -> DumpOptions {
        DumpOptions {
            fork: self.fork,
            ..DumpOptions::default()
        }
    }

    /// What to ask of the engine.
    pub fn request(&self, session: &Session, file: Option<&Path>) -> Request {
        Request {
            file: file.map(path),
            force: self.force,
            filter: self.filter,
            survey: (self.filter.filter(|filter| filter.python())).map(|_| Survey(lean::unneeded)),
            packing: self.compress,
            pass: self.redact.then_some(Pass(redact::redact)),
            fork: self.fork,
            cancel: session.cancel.clone(),
            progress: session.options.progress.clone(),
        }
    }
}

/// A core that was written, or why there is none, with what helps.
pub fn report(saved: Result<Saved, DumpError>) -> anyhow::Result<Box<dyn Report>> {
    match saved {
        Ok(saved) => Ok(Box::new(Written(saved))),
        Err(error @ DumpError::Exists(_)) => Err(anyhow!("{error}; --force replaces it")),
        Err(error) => Err(error.into()),
    }
}

/// What is said when Ctrl-C ended the work, if it was this.
pub fn quit(error: &anyhow::Error, session: &Session) -> Option<&'static str> {
    let target = session
        .inferior
        .process
        .as_ref()
        .map(|process| &process.target);
    let held = target.is_some_and(|target| target.live().is_some_and(LiveHold::is_stopped));
    match error.downcast_ref()? {
        DumpError::Interrupted if held => Some("Quit; nothing was kept"),
        DumpError::Interrupted => Some("Quit; nothing was kept, and the process runs on"),
        _ => None,
    }
}

/// What else was blanked, and what may remain.
fn remains(blanked: &Blanked) -> String {
    let others = [
        (blanked.buffers, "of buffers"),
        (blanked.texts, "of arguments, environment and other text"),
        (blanked.loose, "of what looks like text elsewhere"),
        (blanked.free, "of freed memory"),
        (blanked.stacks, "of stacks"),
    ];
    let others: Vec<String> = (others.iter())
        .map(|(sum, of)| format!("{} {of}", human(sum.bytes)))
        .collect();
    format!(
        "Also blanked: {}. May remain: {}.",
        others.join(", "),
        redact::REMAINS
    )
}

/// A core that was written.
struct Written(Saved);

impl Report for Written {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let saved = &self.0;
        out.put(format_args!("Saved corefile "))?;
        out.styled(Style::File, &saved.file.display().to_string())?;
        if let Some(blanked) = &saved.blanked {
            let sum = blanked.strings;
            out.put(format_args!(
                "; {} ({}) blanked",
                counted(sum.count, "string"),
                human(sum.bytes)
            ))?;
        }
        let threads = counted(saved.threads, "thread");
        out.put(format_args!(
            "\n{threads}, {} of memory; the file takes up {}",
            human(saved.copied),
            human(saved.on_disk)
        ))?;
        if let Some(pause) = saved.pause_us {
            let pause = pause as f64 / 1000.0;
            let digits = usize::from(pause < 9.95);
            out.put(format_args!(
                "; the process stood still for {pause:.digits$} ms"
            ))?;
        }
        out.put(format_args!(".\n"))?;
        if saved.left_out > 0 {
            out.put(format_args!(
                "{} of data that no analysis of Python needs were left out.\n",
                human(saved.left_out)
            ))?;
        }
        if let Some(blanked) = &saved.blanked {
            out.put(format_args!("{}\n", remains(blanked)))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let mut data = json!(self.0);
        if let Some(blanked) = data.get_mut("blanked").and_then(Value::as_object_mut) {
            blanked.insert("remains".into(), json!(redact::REMAINS));
        }
        data
    }

    fn notes(&self) -> Vec<Note> {
        self.0.notes.clone()
    }
}
