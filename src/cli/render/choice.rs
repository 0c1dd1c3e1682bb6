//! Which frames of a stack `bt` and `py-bt` show: as many as asked for, without the inside of a
//! recursion, and no more than fit into a JSON document.

use super::fold::{self, Spot, Step};
use super::number::Extent;
use crate::cli::Session;
use std::ops::Range;

/// The most frames of one stack in a JSON document, unless a count says otherwise.
const MOST_IN_JSON: usize = 20_000;

/// The frames of a recursion have variables of their own: a stack of no more frames than these is
/// shown whole with its variables.
const FOLDED_FROM: usize = 200;

/// Which frames of a stack are wanted.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// How many.
    pub extent: Extent,
    /// Whether the inside of a recursion is left out.
    pub fold: bool,
    /// Whether their variables are shown too.
    pub locals: bool,
    /// How many at most, whatever the extent; the oldest are left out.
    pub most: usize,
}

/// The frames of one stack that are shown.
pub struct Choice {
    /// The positions of those asked for.
    pub range: Range<usize>,
    /// What is shown of these.
    pub steps: Vec<Step>,
    /// Whether there are older frames, which were not asked for.
    pub cut: bool,
    /// How many frames were left out because nobody asked for so many.
    pub left_out: Option<usize>,
}

/// `set backtrace limit` holds where no count is given.
pub fn limited(session: &Session, asked: Extent) -> Extent {
    match (asked, session.settings.get_count("backtrace limit")) {
        (Extent::Whole | Extent::AllThreads, Some(limit)) => Extent::Innermost(limit),
        (asked, _) => asked,
    }
}

/// How many frames of one stack fit into the answer.
pub fn most(session: &Session, extent: Extent) -> usize {
    match session.json && !extent.is_count() {
        true => MOST_IN_JSON,
        false => usize::MAX,
    }
}

impl Wanted {
    /// Of `frames`, innermost first, those that are shown; `spot` tells frames of a recursion from
    /// others.
    pub fn choose<T>(&self, frames: &[T], spot: impl Fn(&T) -> Spot) -> Choice {
        let range = self.extent.range(frames.len());
        let asked = frames.get(range.clone()).unwrap_or_default();
        let fold = self.fold && !(self.locals && asked.len() < FOLDED_FROM);
        let steps = match fold {
            true => fold::plan(&asked.iter().map(spot).collect::<Vec<_>>()),
            false => (0..asked.len().min(self.most)).map(Step::Frame).collect(),
        };
        let in_stack = |step| match step {
            Step::Frame(at) => Step::Frame(range.start + at),
            words => words,
        };
        Choice {
            steps: steps.into_iter().map(in_stack).collect(),
            cut: range.end < frames.len(),
            left_out: asked.len().checked_sub(self.most).filter(|more| *more > 0),
            range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pydbg::Addr;

    fn choose(depth: u64, wanted: Wanted) -> Choice {
        let frames: Vec<u64> = (0..depth).collect();
        let spot = |line: &u64| Spot {
            code: Addr(1),
            line: Some(*line as i32),
        };
        wanted.choose(&frames, spot)
    }

    const ALL: Wanted = Wanted {
        extent: Extent::Whole,
        fold: false,
        locals: false,
        most: usize::MAX,
    };

    #[test]
    fn steps_are_positions_in_the_stack() {
        let wanted = Wanted {
            extent: Extent::Outermost(2),
            ..ALL
        };
        let choice = choose(9, wanted);
        assert_eq!(choice.steps, [Step::Frame(7), Step::Frame(8)]);
        assert_eq!((choice.range, choice.cut), (7..9, false));
        let wanted = Wanted {
            extent: Extent::Innermost(2),
            ..ALL
        };
        assert!(choose(9, wanted).cut);
    }

    #[test]
    fn what_is_too_deep_is_left_out() {
        let choice = choose(9, Wanted { most: 5, ..ALL });
        assert_eq!((choice.steps.len(), choice.left_out), (5, Some(4)));
        assert_eq!(choose(9, Wanted { most: 9, ..ALL }).left_out, None);
    }

    #[test]
    fn a_recursion_of_few_frames_is_whole_with_its_variables() {
        let fold = Wanted { fold: true, ..ALL };
        let locals = Wanted {
            locals: true,
            ..fold
        };
        assert!(choose(199, fold).steps.len() < 199);
        assert_eq!(choose(199, locals).steps.len(), 199);
        assert!(choose(200, locals).steps.len() < 200);
    }
}
