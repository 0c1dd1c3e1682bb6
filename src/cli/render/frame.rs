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
use pydbg::python::FrameOrigin;
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
            let file = short(&row.file);
            match row.position.line {
                Some(line) => format!("{} ({file}:{line})", row.name()),
                None => format!("{} ({file})", row.name()),
            }
        }
        Row::Native(row) if row.signal_trampoline => "<signal handler called>".to_owned(),
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

/// The last component of a path; of a package's `__init__.py` the folder too, which names it.
fn short(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let folder = path
        .strip_suffix(name)
        .and_then(|rest| rest.strip_suffix('/'));
    match folder.and_then(|folder| folder.rsplit('/').next()) {
        Some(folder) if name == "__init__.py" && !folder.is_empty() => path
            .get(path.len() - name.len() - folder.len() - 1..)
            .unwrap_or(name),
        _ => name,
    }
}

fn number(out: &mut Out<'_>, index: usize) -> io::Result<()> {
    out.put(format_args!("#{index:<2} "))
}

fn native(out: &mut Out<'_>, row: &NativeRow) -> io::Result<()> {
    if row.signal_trampoline {
        return out.put(format_args!("<signal handler called>"));
    }
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
    out.styled(Style::Marked, "(python)")?;
    out.put(format_args!(" "))?;
    out.styled(Style::Function, row.name())?;
    out.put(format_args!(" () at "))?;
    out.styled(Style::File, &row.file)?;
    if let Some(line) = row.position.line {
        out.put(format_args!(":{line}"))?;
    }
    if let Some(word) = kind_word(row.kind) {
        mark(out, word)?;
    }
    if row.origin == FrameOrigin::DataStack {
        mark(out, "from the data stack")?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use pydbg::Addr;
    use pydbg::python::{FrameKind, Position};
    use pydbg::unwind::Trust;

    fn shown(row: Row) -> String {
        let mut text = Vec::new();
        line(&mut Out::new(&mut text, false, 0), &row).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn row() -> NativeRow {
        NativeRow {
            index: 5,
            pc: Addr(0x7f8d604aedf9),
            sp: Addr(0),
            cfa: None,
            trust: Trust::Cfi,
            function: Some("__new_sem_wait".into()),
            offset: None,
            module: Some("/lib/libc.so.6".into()),
            file: Some("./nptl/sem_wait.c".into()),
            line: Some(42),
            inlined: false,
            signal_trampoline: false,
        }
    }

    #[test]
    fn native_frames_look_like_gdbs() {
        assert_eq!(
            shown(Row::Native(row())),
            "#5  0x00007f8d604aedf9 in __new_sem_wait () at ./nptl/sem_wait.c:42\n"
        );
        let without_lines = NativeRow {
            index: 1234,
            file: None,
            trust: Trust::Scan,
            ..row()
        };
        assert_eq!(
            shown(Row::Native(without_lines)),
            "#1234 0x00007f8d604aedf9 in __new_sem_wait () from /lib/libc.so.6 \
             [scan: may be wrong]\n"
        );
        let inlined = NativeRow {
            inlined: true,
            ..row()
        };
        assert_eq!(
            shown(Row::Native(inlined)),
            "#5  __new_sem_wait () at ./nptl/sem_wait.c:42 [inlined]\n"
        );
        let trampoline = NativeRow {
            signal_trampoline: true,
            ..row()
        };
        assert_eq!(
            shown(Row::Native(trampoline)),
            "#5  <signal handler called>\n"
        );
        let unknown = NativeRow {
            function: None,
            module: None,
            file: None,
            ..row()
        };
        assert_eq!(
            shown(Row::Native(unknown)),
            "#5  0x00007f8d604aedf9 in ?? ()\n"
        );
    }

    #[test]
    fn python_frames_say_what_they_are_and_are_escaped() {
        let row = PythonRow {
            index: 7,
            function: "gen".into(),
            qualname: Some("A.gen\x1b".into()),
            file: "a.py".into(),
            position: Position {
                line: Some(3),
                ..Position::default()
            },
            kind: FrameKind::Generator,
            origin: FrameOrigin::Chain,
            first_line: 1,
            lasti: 2,
            address: Addr(0),
            code: Addr(0),
            problem: Some("odd".into()),
            source: None,
            variables: None,
        };
        assert_eq!(
            shown(Row::Python(row)),
            "#7  (python) A.gen\\x1b () at a.py:3 [generator] [odd]\n"
        );
    }

    #[test]
    fn packages_are_named_by_their_folder() {
        assert_eq!(short("/usr/lib/ctypes/__init__.py"), "ctypes/__init__.py");
        assert_eq!(short("/usr/lib/threading.py"), "threading.py");
        assert_eq!(short("__init__.py"), "__init__.py");
        assert_eq!(short("/__init__.py"), "__init__.py");
        assert_eq!(short("<string>"), "<string>");
    }
}
