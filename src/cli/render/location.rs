//! Where Python code is, in the words of Python's own tracebacks: `File "bank.py", line 12, in
//! transfer`.

use crate::cli::{Out, Style};
use std::io;

/// Prints the file, the line (`unknown` where nobody knows it) and the function, without an
/// indentation before or a line's end behind.
pub fn put(
    out: &mut Out<'_>,
    file: &str,
    line: Option<i32>,
    unknown: &str,
    function: &str,
) -> io::Result<()> {
    out.put(format_args!("File \""))?;
    out.styled(Style::File, file)?;
    match line {
        Some(line) => out.put(format_args!("\", line {line}, in "))?,
        None => out.put(format_args!("\", line {unknown}, in "))?,
    }
    out.styled(Style::Function, function)
}
