//! `source`: runs the commands of a file.

use crate::cli::session::ScriptLine;
use crate::cli::{Class, Needs, Plain, Report, Run, Session, complete, line};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// Run the commands of a file.
///
/// Each line is one command; a line that begins with # is a comment. The first command that fails
/// ends the script.
///
/// Examples:
///     source triage.pydbg
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Source {
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// A script may source others, but not without end.
const MOST_DEPTH: usize = 50;

/// Nobody writes longer scripts; a core given by mistake is larger.
const MOST_BYTES: u64 = 1 << 20;

impl Run for Source {
    const NAME: &'static str = "source";
    const CLASS: Class = Class::Support;
    const NEEDS: Needs = Needs::Nothing;
    const REPEATS: bool = false;
    const PIPES: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let depth = session.script.as_ref().map_or(0, |line| line.depth + 1);
        if depth >= MOST_DEPTH {
            anyhow::bail!("scripts source each other more than {MOST_DEPTH} deep");
        }
        let text = read(&self.file)?;
        let lines: Vec<ScriptLine> = (text.lines().enumerate())
            .map(|(index, text)| ScriptLine {
                text: text.to_owned(),
                file: self.file.clone(),
                number: index + 1,
                depth,
            })
            .collect();
        // The lines of an inner script come before the rest of the outer one.
        for line in lines.into_iter().rev() {
            session.pending.push_front(line);
        }
        Ok(Box::new(Plain::silent()))
    }

    /// What its lines need. A script that sources another one may need anything.
    fn needs(session: &Session, words: &[String]) -> Needs {
        let text = words.first().map(|file| read(Path::new(file)));
        let Some(Ok(text)) = text else {
            return Self::NEEDS;
        };
        let is_source = |line: &str| line.trim_start().starts_with("so");
        (text.lines())
            .map(|line| match is_source(line) {
                true => Needs::Memory,
                false => session.needs(line),
            })
            .max()
            .unwrap_or(Self::NEEDS)
    }

    fn complete(_: &Session, word: &str) -> Vec<String> {
        complete::files(word)
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    let file = &line::path(file);
    let name = file.display();
    let meta = std::fs::metadata(file).with_context(|| name.to_string())?;
    if !meta.is_file() || meta.len() > MOST_BYTES {
        anyhow::bail!("{name}: not a script (a regular file of at most 1 MiB)");
    }
    std::fs::read_to_string(file).with_context(|| name.to_string())
}
