//! Which runs of the address space are spoken for. What claims first has them; what comes later
//! gets the rest.

use std::ops::Range;

/// Runs by address that do not overlap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    runs: Vec<Range<u64>>,
}

impl Claims {
    /// Claims what is free of a run, and gives the parts that were.
    pub(super) fn claim(&mut self, run: Range<u64>) -> Vec<Range<u64>> {
        let free = self.free(run.clone());
        if free.is_empty() {
            return free;
        }
        let first = self.runs.partition_point(|known| known.end < run.start);
        let behind = self.runs.partition_point(|known| known.start <= run.end);
        let touched = self.runs.get(first..behind).unwrap_or_default();
        let start = touched
            .first()
            .map_or(run.start, |known| known.start.min(run.start));
        let end = touched
            .last()
            .map_or(run.end, |known| known.end.max(run.end));
        self.runs.splice(first..behind, std::iter::once(start..end));
        free
    }

    /// The parts of a run that nobody has claimed.
    pub(super) fn free(&self, run: Range<u64>) -> Vec<Range<u64>> {
        let mut free = Vec::new();
        let mut at = run.start;
        let first = self.runs.partition_point(|known| known.end <= run.start);
        for known in self.runs.iter().skip(first) {
            if known.start >= run.end {
                break;
            }
            if at < known.start {
                free.push(at..known.start);
            }
            at = at.max(known.end);
        }
        if at < run.end {
            free.push(at..run.end);
        }
        free
    }

    /// Whether an address is claimed.
    pub(crate) fn holds(&self, at: u64) -> bool {
        let index = self.runs.partition_point(|known| known.end <= at);
        self.runs.get(index).is_some_and(|known| known.start <= at)
    }
}

#[cfg(test)]
#[expect(
    clippy::single_range_in_vec_init,
    reason = "a list of one run is what is meant"
)]
mod tests {
    use super::*;

    #[test]
    fn the_first_has_it() {
        let mut claims = Claims::default();
        assert_eq!(claims.claim(10..20), [10..20]);
        assert_eq!(claims.claim(30..40), [30..40]);
        assert_eq!(claims.claim(5..35), [5..10, 20..30]);
        assert!(claims.claim(12..38).is_empty());
        assert_eq!(claims.free(0..50), [0..5, 40..50]);
        assert!(claims.holds(5) && claims.holds(39) && !claims.holds(40) && !claims.holds(4));
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges, reason = "damaged bounds may be so")]
    fn nothing_and_less() {
        let mut claims = Claims::default();
        assert!(claims.claim(7..7).is_empty() && claims.claim(9..3).is_empty());
        assert_eq!(claims.claim(0..u64::MAX), [0..u64::MAX]);
    }

    /// Against a map of single addresses.
    #[test]
    fn as_address_by_address() {
        let mut random = crate::target::synth_random::Random::new(0x5eed_0007);
        for _ in 0..200 {
            let (mut claims, mut taken) = (Claims::default(), [false; 64]);
            for _ in 0..12 {
                let start = random.below(64) as u64;
                let end = start + random.below(65 - start as usize) as u64;
                let got = claims.claim(start..end);
                for at in start..end {
                    let new = got.iter().any(|part| part.contains(&at));
                    assert_eq!(new, !taken[at as usize]);
                    taken[at as usize] = true;
                }
            }
            for at in 0..64 {
                assert_eq!(claims.holds(at), taken[at as usize]);
            }
        }
    }
}
