//! What may stand at the end of an unfinished expression: a name, an attribute behind a dot, a key
//! behind `['`.

use super::eval::Evaluator;
use super::functions::FUNCTIONS;
use super::value::Value;

/// More are of no use to a person.
const MOST: usize = 2000;

/// The longest key that is offered, in characters.
const LONGEST_KEY: usize = 100;

impl Evaluator<'_> {
    /// Whole words for the last word of `text`, which begins at byte `start`: each one continues
    /// what is written from there.
    pub fn complete(&self, text: &str, start: usize) -> Vec<String> {
        let word = text.get(start..).unwrap_or("");
        // Only the part of the word behind its last operator is completed; the rest is kept.
        if let Some((inner, quote, typed)) = open_key(text) {
            return self.keys(text, start, inner, quote, typed);
        }
        let is_word = |c: char| c == '_' || c.is_alphanumeric();
        let typed_at = text
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_word(*c))
            .last()
            .map_or(text.len(), |(at, _)| at);
        let typed = text.get(typed_at..).unwrap_or("");
        let before = text.get(..typed_at).unwrap_or("");
        let kept = word.strip_suffix(typed).unwrap_or("");
        let names = match before.strip_suffix('.') {
            Some(inner) => {
                let inner = last_operand(inner);
                let value = self.evaluate(inner).ok();
                let names = value.map(|answer| self.attribute_names(&answer.value));
                names.and_then(Result::ok).unwrap_or_default()
            }
            None => {
                let functions = FUNCTIONS.iter().map(|name| (*name).to_owned());
                self.scope.names().into_iter().chain(functions).collect()
            }
        };
        let mut names: Vec<String> = names
            .into_iter()
            // Special names only when they are asked for.
            .filter(|name| typed.starts_with('_') || !name.starts_with("__"))
            .filter(|name| name.starts_with(typed) && name.chars().all(is_word))
            .map(|name| format!("{kept}{name}"))
            .collect();
        names.sort();
        names.dedup();
        names.truncate(MOST);
        names
    }

    fn keys(&self, text: &str, start: usize, inner: &str, quote: char, typed: &str) -> Vec<String> {
        let Ok(answer) = self.evaluate(last_operand(inner)) else {
            return Vec::new();
        };
        let Ok(Value::Dict(items)) = self.load(&answer.value) else {
            return Vec::new();
        };
        let kept = text.len() - typed.len();
        let kept = text.get(start.min(kept)..kept).unwrap_or("");
        let mut keys = Vec::new();
        for (key, _) in items.iter().take(MOST) {
            let Ok(key @ (Value::Str(_) | Value::Bytes(_))) = self.load(key) else {
                continue;
            };
            let key = self.plain_text(&key);
            let plain = |c: char| !c.is_control() && c != quote && c != '\\' && c != ' ';
            if key.starts_with(typed) && key.chars().count() < LONGEST_KEY && key.chars().all(plain)
            {
                keys.push(format!("{kept}{key}{quote}]"));
            }
        }
        keys.sort();
        keys.dedup();
        keys
    }
}

/// `d['ab`: the container, the quote and what is written of the key.
fn open_key(text: &str) -> Option<(&str, char, &str)> {
    let at = text.rfind(['\'', '"'])?;
    let (before, behind) = text.split_at(at);
    let quote = behind.chars().next()?;
    let inner = before.strip_suffix('[')?;
    Some((inner, quote, behind.get(1..)?))
}

/// The operand at the end of `text`: `x.y[0]` of `len(x.y[0]`.
fn last_operand(text: &str) -> &str {
    let mut depth = 0usize;
    let mut quote = None;
    let mut start = text.len();
    for (at, c) in text.char_indices().rev() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, ']' | ')') => depth += 1,
            (None, '[' | '(') if depth > 0 => depth -= 1,
            (None, c) if depth == 0 => {
                let inside = c == '_' || c == '.' || c == '$' || c.is_alphanumeric();
                if !inside {
                    break;
                }
            }
            (None, _) => {}
        }
        start = at;
    }
    text.get(start..).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_operand_is_found() {
        assert_eq!(last_operand("len(x.y[0]"), "x.y[0]");
        assert_eq!(last_operand("a + d['k (']"), "d['k (']");
        assert_eq!(last_operand("$1"), "$1");
        assert_eq!(last_operand("a, (b, c)[0]"), "(b, c)[0]");
        assert_eq!(open_key("f(d['ab"), Some(("f(d", '\'', "ab")));
        assert_eq!(open_key("d['ab'"), None);
    }
}
