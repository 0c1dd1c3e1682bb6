//! Names close to one that was not found, as Python suggests them (Lib/traceback.py
//! `_compute_suggestion_error`).

/// More names are not compared: nobody waits for a suggestion.
const MOST_NAMES: usize = 750;

/// Longer names are not compared.
const LONGEST_NAME: usize = 40;

/// "Did you mean: 'x'?", if one of the names is close to `wrong`.
pub fn did_you_mean(wrong: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let wrong_chars: Vec<char> = wrong.chars().collect();
    if wrong_chars.len() > LONGEST_NAME {
        return None;
    }
    let mut best: Option<(usize, String)> = None;
    for name in names.into_iter().take(MOST_NAMES) {
        let chars: Vec<char> = name.chars().collect();
        if name == wrong || chars.len() > LONGEST_NAME {
            continue;
        }
        // A third of the characters may differ, at most.
        let allowed = (chars.len() + wrong_chars.len() + 3) / 6;
        let distance = distance(&wrong_chars, &chars);
        let closer = best.as_ref().is_none_or(|(least, _)| distance < *least);
        if distance <= allowed && closer {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| format!("Did you mean: '{name}'?"))
}

/// How many characters must be added, removed or replaced to get from one to the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (right, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(left != right);
            diagonal = *cell;
            before = replaced.min(before + 1).min(*cell + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_suggested() {
        let names = || ["balance", "owner", "x"].map(str::to_owned);
        let hint = did_you_mean("balanec", names());
        assert_eq!(hint.as_deref(), Some("Did you mean: 'balance'?"));
        assert_eq!(did_you_mean("zzz", names()), None);
        assert_eq!(did_you_mean("y", names()), None);
    }

    #[test]
    fn distances() {
        let between = |a: &str, b: &str| {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            distance(&chars(a), &chars(b))
        };
        assert_eq!(between("kitten", "sitting"), 3);
        assert_eq!(between("", "abc"), 3);
        assert_eq!(between("abc", ""), 3);
        assert_eq!(between("same", "same"), 0);
    }
}
