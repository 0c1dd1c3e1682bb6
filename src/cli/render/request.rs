//! What `thread apply` and `process apply` are asked for: threads, flags and a command.

use super::number::{is_thread_list, thread_list};
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

    /// The numbers of the threads asked for, of `count` threads.
    pub fn ids(&self, count: usize) -> anyhow::Result<Vec<usize>> {
        match self.list.as_slice() {
            ["all"] if self.ascending => Ok((1..=count).collect()),
            ["all"] => Ok((1..=count).rev().collect()),
            list => thread_list(list, count),
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
        assert_eq!(nested("all"), None);
        assert_eq!(nested("py-bt"), None);
    }

    #[test]
    fn all_goes_down_unless_told_otherwise() {
        let ids = |tail| Request::parse(tail).ids(3).unwrap();
        assert_eq!(ids("all bt"), [3, 2, 1]);
        assert_eq!(ids("all -ascending bt"), [1, 2, 3]);
        assert_eq!(ids("2-9 1 bt"), [2, 3, 1]);
    }
}
