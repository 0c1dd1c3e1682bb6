//! Completion: command names word by word, options, whatever the command itself knows, files.
//! The prompt's Tab and the command `complete` ask the same function.

use super::command::Command;
use super::names::Found;
use super::{Session, call, line};
use std::fs;

/// The words that may stand at the end of a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Completions {
    /// Where the word that they replace begins, in bytes.
    pub start: usize,
    /// The words, sorted.
    pub words: Vec<String>,
}

/// Completes the last word of what was typed.
pub fn complete(session: &Session, typed: &str) -> Completions {
    let start = last_word(typed);
    let (before, word) = typed.split_at(start);
    let mut words = candidates(session, before, word);
    words.sort();
    words.dedup();
    Completions { start, words }
}

fn candidates(session: &Session, before: &str, word: &str) -> Vec<String> {
    let owned = |words: Vec<&'static str>| words.into_iter().map(str::to_owned).collect();
    if let Some(behind) = before.split_once(" | ") {
        return files(if behind.1.is_empty() { word } else { "" });
    }
    let before = &call::written_out(before);
    match session.names.find(before) {
        Ok(Found::Group(group)) => owned(session.names.words_after(&group, word)),
        Ok(Found::Entry { entry, tail }) => {
            let Some(command) = session.commands.get(entry) else {
                return Vec::new();
            };
            // A word must stand there for the command to see where the other one begins.
            let probe = if word.is_empty() { "x" } else { word };
            if let Some(nested) = (command.nested)(&format!("{tail}{probe}")) {
                return candidates(session, nested.strip_suffix(probe).unwrap_or(nested), word);
            }
            let mut words: Vec<String> = match tail.trim() {
                "" => owned(session.names.words_after(command.name, word)),
                _ => Vec::new(),
            };
            words.extend(options(command, word));
            words.extend((command.complete)(session, tail, word));
            words.retain(|candidate| candidate.starts_with(word));
            words
        }
        Err(_) => Vec::new(),
    }
}

/// The options of a command; only offered once a dash is typed, as gdb does.
fn options(command: &Command, word: &str) -> Vec<String> {
    if !word.starts_with('-') {
        return Vec::new();
    }
    let dashes = if word.starts_with("--") { "--" } else { "-" };
    (command.clap)()
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .map(|long| format!("{dashes}{long}"))
        .collect()
}

/// Paths that begin with `word`, as the words of a line: spaces have a backslash before them.
/// Folders end in a slash.
pub fn files(word: &str) -> Vec<String> {
    /// More than a person would look through.
    const MOST_FILES: usize = 1000;
    let plain = line::words(word)
        .ok()
        .and_then(|words| words.into_iter().next())
        .unwrap_or_default();
    let (folder, name) = match plain.rfind('/') {
        Some(slash) => plain.split_at(slash + 1),
        None => ("", plain.as_str()),
    };
    let place = match folder {
        "" => ".".into(),
        folder => line::path(folder.as_ref()),
    };
    let Ok(entries) = fs::read_dir(place) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten().take(MOST_FILES) {
        let file = entry.file_name();
        let Some(file) = file.to_str() else { continue };
        let hidden = file.starts_with('.') && !name.starts_with('.');
        if file.starts_with(name) && !hidden {
            let is_folder = fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir());
            let slash = if is_folder { "/" } else { "" };
            found.push(format!(
                "{}{slash}",
                line::quote(&format!("{folder}{file}"))
            ));
        }
    }
    found
}

/// Where the last word of `line` begins: behind the last space that has no backslash.
fn last_word(line: &str) -> usize {
    let mut start = 0;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if c.is_whitespace() && !escaped {
            start = at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    start
}
