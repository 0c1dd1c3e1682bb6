//! How long work on a graph is stopped, and how it tells how far it has come.

use crate::diag::Cancel;

/// The work was stopped because the user asked for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Stopped;

/// Hears what is done, how much of it is done, and how much there is.
type Hear<'a> = &'a (dyn Fn(&'static str, u64, u64) + Sync);

/// Looks at the flag that stops long work, and hears how far the work has come.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    cancel: &'a Cancel,
    hear: Option<Hear<'a>>,
}

/// How many steps are made between two looks at the flag.
pub(super) const PAUSE: usize = 1 << 16;

impl<'a> Watch<'a> {
    /// Only looks at the flag.
    pub fn quiet(cancel: &'a Cancel) -> Watch<'a> {
        Watch { cancel, hear: None }
    }

    /// Also calls `hear`, from any thread and some hundred times in all, with the name of the
    /// stage, the steps done in it and all its steps.
    pub fn new(cancel: &'a Cancel, hear: Hear<'a>) -> Watch<'a> {
        let hear = Some(hear);
        Watch { cancel, hear }
    }

    /// Whether the work may go on.
    pub fn go_on(&self) -> Result<(), Stopped> {
        match self.cancel.is_cancelled() {
            true => Err(Stopped),
            false => Ok(()),
        }
    }

    /// Tells how far a stage is, and whether the work may go on.
    pub(super) fn step(&self, what: &'static str, done: u64, total: u64) -> Result<(), Stopped> {
        if let Some(hear) = self.hear {
            hear(what, done, total);
        }
        self.go_on()
    }
}
