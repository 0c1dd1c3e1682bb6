//! The exit status: what a script can rely on.

use std::process::ExitCode;

/// How it went, from best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Status {
    /// Every answer was whole.
    Whole,
    /// Some answer lacked something; its notes say what.
    Partial,
    /// A command failed.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// The target cannot be read.
    Unreadable,
}

impl Status {
    /// Becomes `other` if that is worse.
    pub fn worsen(&mut self, other: Status) {
        *self = (*self).max(other);
    }

    /// As the exit status.
    pub fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Status::Whole => 0,
            Status::Failed => 1,
            Status::Usage => 2,
            Status::Partial => 3,
            Status::Unreadable => 4,
        })
    }
}
