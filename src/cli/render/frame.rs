//! The line of one frame, in gdb's form:
//!
//! ```text
//! #5  0x00007f8d604aedf9 in __new_sem_wait () at ./nptl/sem_wait.c:42
//! #6  0x00007f8d61234567 in frob () from /usr/lib/libfrob.so
//! #7  (python) transfer () at deadlock.py:13
//! ```

use super::row::{NativeRow, PythonRow, Row, kind_word, trust_mark};
use super::width::Shown;
use crate::cli::{Out, Style};
use std::io;

/// Prints the line of a frame, with its number.
pub fn line(out: &mut Out<'_>, row: &Row) -> io::Result<()> {
    match row {
        Row::Native(row) => {
            number(out, row.index)?;
            native(out, row)?;
        }
        Row::Python(row) => {
            number(out, row.index)?;
            python(out, row)?;
        }
    }
    out.end()
}

/// Prints a frame below its line: the source line of a Python frame, as `frame` shows it.
pub fn source(out: &mut Out<'_>, row: &Row) -> io::Result<()> {
    let Row::Python(row) = row else {
        return Ok(());
    };
    let (Some(text), Some(line)) = (&row.source, row.position.line) else {
        return Ok(());
    };
    out.put(format_args!("{line}\t"))?;
    out.target(&Shown::of(&text.chars().collect::<Vec<_>>()).text)?;
    out.end()
}

/// Prints the source line of a Python frame as `bt` shows it, stripped and indented.
pub fn indented_source(out: &mut Out<'_>, row: &Row) -> io::Result<()> {
    let Row::Python(row) = row else {
        return Ok(());
    };
    let Some(text) = row
        .source
        .as_deref()
        .map(str::trim)
        .filter(|t| !t.is_empty())
    else {
        return Ok(());
    };
    out.put(format_args!("        "))?;
    out.styled(
        Style::Marked,
        &Shown::of(&text.chars().collect::<Vec<_>>()).text,
    )?;
    out.end()
}

/// What a frame is, in a few words and without number: for `info threads`.
pub fn brief(row: &Row) -> String {
    match row {
        Row::Python(row) => {
            let file = row.file.rsplit('/').next().unwrap_or(&row.file);
            match row.position.line {
                Some(line) => format!("{} ({file}:{line})", row.name()),
                None => format!("{} ({file})", row.name()),
            }
        }
        Row::Native(row) => {
            let function = row.function.as_deref().unwrap_or("??");
            match (&row.file, row.line, &row.module) {
                (Some(file), Some(line), _) => format!("{function} () at {file}:{line}"),
                (_, _, Some(module)) => format!("{function} () from {module}"),
                _ => format!("{} in {function} ()", row.pc),
            }
        }
    }
}

fn number(out: &mut Out<'_>, index: usize) -> io::Result<()> {
    out.put(format_args!("#{index:<3}"))
}

fn native(out: &mut Out<'_>, row: &NativeRow) -> io::Result<()> {
    if !row.inlined {
        out.styled(Style::Address, &format!("{:#018x}", row.pc.0))?;
        out.put(format_args!(" in "))?;
    }
    out.styled(Style::Function, row.function.as_deref().unwrap_or("??"))?;
    out.put(format_args!(" ()"))?;
    match (&row.file, row.line, &row.module) {
        (Some(file), line, _) => {
            out.put(format_args!(" at "))?;
            out.styled(Style::File, file)?;
            if let Some(line) = line {
                out.put(format_args!(":{line}"))?;
            }
        }
        (None, _, Some(module)) => {
            out.put(format_args!(" from "))?;
            out.styled(Style::File, module)?;
        }
        (None, _, None) => {}
    }
    if row.inlined {
        return mark(out, "inlined");
    }
    match trust_mark(row.trust) {
        Some(words) => mark(out, words),
        None => Ok(()),
    }
}

fn python(out: &mut Out<'_>, row: &PythonRow) -> io::Result<()> {
    out.put(format_args!("(python) "))?;
    out.styled(Style::Function, row.name())?;
    out.put(format_args!(" () at "))?;
    out.styled(Style::File, &row.file)?;
    if let Some(line) = row.position.line {
        out.put(format_args!(":{line}"))?;
    }
    if let Some(word) = kind_word(row.kind) {
        mark(out, word)?;
    }
    match &row.problem {
        Some(problem) => mark(out, problem),
        None => Ok(()),
    }
}

fn mark(out: &mut Out<'_>, words: &str) -> io::Result<()> {
    out.put(format_args!(" "))?;
    out.styled(Style::Faint, &format!("[{words}]"))
}
