//! What `thread apply` and `process apply` are asked for: threads, flags and a command.

use super::thread_id::{self, ThreadId, is_thread_list};
use crate::cli::{Needs, Session};

/// What was asked for.
pub struct Request<'t> {
    /// `all`, or numbers and ranges.
    pub list: Vec<&'t str>,
    /// `-q`: no headers.
    pub quiet: bool,
    /// `-s`: threads for which the command fails are left out.
    pub silent: bool,
    /// `-ascending`: `all` goes from the lowest number.
    pub ascending: bool,
    /// `-m`: threads with the same answer are shown as one.
    pub merge: bool,
    /// The command.
    pub line: &'t str,
}

impl<'t> Request<'t> {
    /// Splits `1-3 5 -q bt 3`.
    pub fn parse(tail: &'t str) -> Request<'t> {
        let mut request = Request {
            list: Vec::new(),
            quiet: false,
            silent: false,
            ascending: false,
            merge: false,
            line: tail.trim(),
        };
        loop {
            let (word, rest) = request
                .line
                .split_once(char::is_whitespace)
                .unwrap_or((request.line, ""));
            match word {
                "-q" => request.quiet = true,
                "-s" => request.silent = true,
                // gdb's "go on after an error" is how pydbg always does it.
                "-c" => {}
                "-m" | "-merge" | "--merge" => request.merge = true,
                "-ascending" | "--ascending" => request.ascending = true,
                word if is_thread_list(word) || (word == "all" && request.list.is_empty()) => {
                    request.list.push(word);
                }
                _ => return request,
            }
            request.line = rest.trim_start();
        }
    }

    /// The command, once it is clear where the list ends.
    pub fn nested(&self) -> Option<&'t str> {
        let complete = !self.list.is_empty() && !self.line.is_empty();
        complete.then_some(self.line)
    }

    /// What the command in the last of `words` needs.
    pub fn needs(session: &Session, words: &[String]) -> Needs {
        let nested = words.last().and_then(|tail| Request::parse(tail).nested());
        nested.map_or(Needs::Nothing, |line| session.needs(line))
    }

    /// The threads asked for; `all` are those of the current inferior.
    pub fn threads(&self, session: &Session) -> anyhow::Result<Vec<ThreadId>> {
        match self.list.as_slice() {
            ["all"] => {
                let mut all = thread_id::all(session)?;
                if !self.ascending {
                    all.reverse();
                }
                Ok(all)
            }
            list => thread_id::list(session, list),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(tail: &str) -> Option<&str> {
        Request::parse(tail).nested()
    }

    #[test]
    fn lists_flags_and_the_command_are_told_apart() {
        let request = Request::parse("1-3 5 -q bt 3");
        assert_eq!(request.list, ["1-3", "5"]);
        assert!(request.quiet && !request.silent);
        assert_eq!(request.line, "bt 3");
        let request = Request::parse("all -s py-print a  b");
        assert_eq!(request.list, ["all"]);
        assert!(request.silent);
        assert_eq!(request.line, "py-print a  b");
        assert_eq!(nested("2 x/4gx $sp"), Some("x/4gx $sp"));
        assert_eq!(nested("2.1-3 *  bt"), Some("bt"));
        assert_eq!(nested("all"), None);
        assert_eq!(nested("py-bt"), None);
    }
}
