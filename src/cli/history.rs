//! The lines typed before: `$XDG_STATE_HOME/pydbg/history`, readable by the user alone.

use super::settings::Settings;
use rustyline::history::FileHistory;
use rustyline::{Editor, Helper};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

/// How many lines are kept.
pub fn size(settings: &Settings) -> usize {
    settings.get_count("history size").unwrap_or(100_000)
}

/// Reads the history; without one the session begins with none.
pub fn load<H: Helper>(editor: &mut Editor<H, FileHistory>) {
    if let Some(path) = path() {
        _ = editor.load_history(&path);
    }
}

/// Adds this session's lines to the history. Failing that loses only the history.
pub fn save<H: Helper>(editor: &mut Editor<H, FileHistory>, settings: &Settings) {
    let Some(path) = path().filter(|_| settings.get_bool("history save")) else {
        return;
    };
    if let Some(folder) = path.parent() {
        _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    }
    // It must not be readable by others even for a moment.
    let made = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path);
    if made.is_ok() {
        _ = editor.append_history(&path);
    }
}

/// The XDG base directory specification says that a relative path is to be ignored.
fn path() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute());
    let state = match state {
        Some(state) => state,
        None => std::env::home_dir()?.join(".local/state"),
    };
    Some(state.join("pydbg/history"))
}
