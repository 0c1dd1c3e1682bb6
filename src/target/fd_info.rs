//! What /proc/PID/fdinfo/FD says of one open file, line by line (Linux fs/proc/fd.c, `seq_show`;
//! each kind of file adds lines of its own): a key, a colon and what is said.

use super::proc_files::ProcFiles;
use std::io;

/// What is said of one open file.
pub struct FdInfo(String);

impl FdInfo {
    /// What is said of the file descriptor `fd` of a process.
    pub fn of(files: &ProcFiles, fd: i32) -> io::Result<FdInfo> {
        let text = files.read(&format!("fdinfo/{fd}"))?;
        Ok(FdInfo::parse(&text))
    }

    /// What the text of such a file says.
    pub(super) fn parse(text: &[u8]) -> FdInfo {
        FdInfo(String::from_utf8_lossy(text).into_owned())
    }

    /// What the lines with this key say.
    pub fn lines(&self, key: &str) -> impl Iterator<Item = &str> {
        let lines = self.0.lines();
        lines.filter_map(move |line| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_keys() {
        let info = FdInfo("pos:\t5\nflags:\t02\ntfd:  7 events: 19\ntfd:  8\ntfdx: 9\n".into());
        assert_eq!(info.lines("pos").collect::<Vec<_>>(), ["5"]);
        assert_eq!(info.lines("tfd").collect::<Vec<_>>(), ["7 events: 19", "8"]);
        assert_eq!(info.lines("lock").next(), None);
    }
}
