//! Pieces of sentences.

/// `a, b and c`.
pub(super) fn and(words: &[String]) -> String {
    match words {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        words => words.concat(),
    }
}

/// The text with a capital letter in front.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase());
    first.into_iter().flatten().chain(letters).collect()
}

/// `10, 11 and 4 others`.
pub(super) fn pids(pids: &[i32]) -> String {
    /// The most that are named.
    const MOST_NAMED: usize = 8;
    let mut words: Vec<String> = pids.iter().take(MOST_NAMED).map(i32::to_string).collect();
    match pids.len().saturating_sub(MOST_NAMED) {
        0 => {}
        1 => words.push("another".to_owned()),
        more => words.push(format!("{more} others")),
    }
    and(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut() {
        assert_eq!(pids(&[]), "");
        assert_eq!(pids(&[1]), "1");
        assert_eq!(pids(&[1, 2, 3]), "1, 2 and 3");
        let many: Vec<i32> = (1..=10).collect();
        assert_eq!(pids(&many), "1, 2, 3, 4, 5, 6, 7, 8 and 2 others");
        assert_eq!(capital("äb"), "Äb");
    }
}
