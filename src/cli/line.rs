//! A line as typed: comments, `!shell`, pipes, and the words of a command. The rules are a
//! shell's in small: quotes and backslashes; and gdb's where gdb has its own (`| CMD | SHELL`).

use std::path::{Path, PathBuf};

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'t> {
    /// Nothing to do: an empty line.
    Empty,
    /// A comment.
    Comment,
    /// `!CMD`: a shell command.
    Shell(&'t str),
    /// `| CMD | SHELL` or `pipe CMD | SHELL`: gdb's own way to pipe.
    Pipe(&'t str),
    /// A command, which may have a pipe behind it.
    Command(&'t str),
}

impl<'t> Line<'t> {
    /// Tells what `text` is. Spaces at the end of a command are kept: `complete` looks at them.
    pub fn parse(text: &'t str) -> Line<'t> {
        let text = text.trim_start();
        let first_word = text.split_whitespace().next().unwrap_or("");
        match text.chars().next() {
            None => Line::Empty,
            Some('#') => Line::Comment,
            Some('!') => Line::Shell(text.get(1..).unwrap_or("").trim()),
            Some('|') => Line::Pipe(text.get(1..).unwrap_or("").trim()),
            Some(_) if first_word == "pipe" => Line::Pipe(text.get(4..).unwrap_or("").trim()),
            Some(_) => Line::Command(text),
        }
    }
}

/// Splits `CMD | SHELL` at the first `|` that stands between spaces, outside quotes and brackets.
/// So `py-print a|b` and `py-print (a | b)` stay whole, and `py-print a | less` is piped.
pub fn split_pipe(text: &str) -> (&str, Option<&str>) {
    let mut quote = None;
    let mut depth = 0usize;
    let mut before = ' ';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (_, '\\') => {
                chars.next();
            }
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, '|') if depth == 0 && before.is_whitespace() => {
                if chars.peek().is_none_or(|(_, next)| next.is_whitespace()) {
                    let (command, shell) = text.split_at(at);
                    return (
                        command.trim_end(),
                        Some(shell.get(1..).unwrap_or("").trim()),
                    );
                }
            }
            (None, _) => {}
        }
        before = c;
    }
    (text, None)
}

/// The words of `text`: separated by spaces; quotes keep spaces together; a backslash outside
/// single quotes takes the next character as it is.
pub fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(c),
            (_, '\\') => match chars.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("the line ends in a backslash".into()),
            },
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(format!("unmatched {open}"));
    }
    words.extend(word);
    Ok(words)
}

/// The path a word means: `~/` is the home folder, as in a shell.
pub fn path(word: &Path) -> PathBuf {
    match (word.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => word.to_owned(),
    }
}

/// `word` written so that [`words`] gives it back whole.
pub fn quote(word: &str) -> String {
    let mut quoted = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_whitespace() || matches!(c, '\\' | '\'' | '"') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_lines() {
        assert_eq!(Line::parse("  "), Line::Empty);
        assert_eq!(Line::parse(" # bt"), Line::Comment);
        assert_eq!(Line::parse("! ls -l | wc"), Line::Shell("ls -l | wc"));
        assert_eq!(Line::parse("| bt | wc"), Line::Pipe("bt | wc"));
        assert_eq!(Line::parse("pipe bt | wc"), Line::Pipe("bt | wc"));
        assert_eq!(Line::parse("pipes"), Line::Command("pipes"));
        assert_eq!(
            Line::parse("bt # no comment"),
            Line::Command("bt # no comment")
        );
    }

    #[test]
    fn pipes() {
        assert_eq!(split_pipe("bt | grep x | wc"), ("bt", Some("grep x | wc")));
        assert_eq!(split_pipe("bt |"), ("bt", Some("")));
        assert_eq!(split_pipe("py-print a|b"), ("py-print a|b", None));
        assert_eq!(split_pipe("py-print (a | b)"), ("py-print (a | b)", None));
        assert_eq!(
            split_pipe("py-print '| ' | wc"),
            ("py-print '| '", Some("wc"))
        );
        assert_eq!(split_pipe("py-print a || b"), ("py-print a || b", None));
        assert_eq!(split_pipe("echo \\' | wc"), ("echo \\'", Some("wc")));
        assert_eq!(split_pipe("bt\u{3000}| größe"), ("bt", Some("größe")));
    }

    #[test]
    fn quotes_and_backslashes() {
        let split = |text: &str| words(text).unwrap_or_else(|e| vec![format!("error: {e}")]);
        assert_eq!(split("a  b\tc"), ["a", "b", "c"]);
        assert_eq!(split("'a b' \"c \\\"d\" e\\ f"), ["a b", "c \"d", "e f"]);
        assert_eq!(split("'' x\"y z\"w"), ["", "xy zw"]);
        assert_eq!(split("'a\\b'"), ["a\\b"]);
        assert_eq!(split("'a"), ["error: unmatched '"]);
        assert_eq!(split("a\\"), ["error: the line ends in a backslash"]);
        assert!(split("").is_empty());
        assert_eq!(split(&quote("a b'\\\"c")), ["a b'\\\"c"]);
    }
}
