//! The operator inside an expression: a traceback marks `a / b` as `~~^~~`, so that one sees
//! which of several operations failed. CPython finds it by parsing the expression
//! (`_extract_caret_anchors_from_line_segment` in Lib/traceback.py, 3.11 to 3.14); here the
//! expression's top level is scanned, which tells binary operators, subscripts and calls apart.

/// What the expression is, at its top level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// `a + b`
    Binary,
    /// `a[b]`
    Subscript,
    /// `f(a)`
    Call,
}

/// Where the operator, the brackets or the parentheses are, in characters of the segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Anchors {
    /// What the expression is.
    pub shape: Shape,
    /// First character.
    pub start: usize,
    /// Behind the last character.
    pub end: usize,
}

/// One token at the top level of an expression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A name, number or string.
    Atom,
    /// A bracketed part, by its opening bracket.
    Group(char),
    /// `.`
    Dot,
    /// A binary operator and how strongly it binds.
    Binary(u8),
    /// A prefix operator.
    Unary,
    /// `await`
    Await,
}

/// Words that make an expression something else than a binary operation, subscript or call.
const WORDS: &[&str] = &[
    "and", "as", "assert", "async", "class", "def", "del", "else", "except", "for", "from", "if",
    "import", "in", "is", "lambda", "not", "or", "raise", "return", "while", "with", "yield",
];

/// The binary operators that bind tighter than comparisons, with their strength.
const OPERATORS: &[(&str, u8)] = &[
    ("**", 6),
    ("//", 5),
    ("<<", 3),
    (">>", 3),
    ("*", 5),
    ("@", 5),
    ("/", 5),
    ("%", 5),
    ("+", 4),
    ("-", 4),
    ("&", 2),
    ("^", 1),
    ("|", 0),
];

/// The strength of `**`, which groups from the right.
const POWER: u8 = 6;

/// Finds the operator of the expression `segment`, or `None` when there is nothing to point out.
pub fn find(segment: &[char]) -> Option<Anchors> {
    let tokens = tokens(segment)?;
    let weakest = tokens
        .iter()
        .filter_map(|token| match token.kind {
            Kind::Binary(strength) => Some(strength),
            _ => None,
        })
        .min();
    match weakest {
        Some(strength) => binary(segment, &tokens, strength),
        None => brackets(&tokens),
    }
}

/// The outermost binary operator.
fn binary(segment: &[char], tokens: &[Token], strength: u8) -> Option<Anchors> {
    let is_it = |token: &&Token| token.kind == Kind::Binary(strength);
    let operator = if strength == POWER {
        // A prefix operator takes the whole power: -a ** b is -(a ** b).
        if tokens.first()?.kind == Kind::Unary {
            return None;
        }
        tokens.iter().find(is_it)?
    } else {
        tokens.iter().rev().find(is_it)?
    };
    let mut end = operator.end;
    if end - operator.start == 1 && segment.get(end) == Some(&'(') && is_grouping(segment, end) {
        // CPython takes any character up to the right operand for a part of the operator, and
        // grouping parentheses do not belong to the operand.
        end += 1;
    }
    Some(Anchors {
        shape: Shape::Binary,
        start: operator.start,
        end,
    })
}

/// The brackets at the end of a subscript or call.
fn brackets(tokens: &[Token]) -> Option<Anchors> {
    let (last, before) = tokens.split_last()?;
    if matches!(before.first()?.kind, Kind::Unary | Kind::Await) {
        return None;
    }
    let shape = match last.kind {
        Kind::Group('[') => Shape::Subscript,
        Kind::Group('(') => Shape::Call,
        _ => return None,
    };
    Some(Anchors {
        shape,
        start: last.start,
        end: last.end,
    })
}

/// Whether the parenthesis at `open` only groups: it holds neither a tuple nor a generator.
fn is_grouping(segment: &[char], open: usize) -> bool {
    let Some(close) = skip_group(segment, open) else {
        return false;
    };
    match segment.get(open + 1..close - 1) {
        Some(inner) => match tokens(inner) {
            Some(tokens) => !tokens.is_empty(),
            None => !has_comma_or_for(inner),
        },
        None => false,
    }
}

/// Whether a comma or the word `for` stands at the top level.
fn has_comma_or_for(inner: &[char]) -> bool {
    let mut at = 0;
    while let Some(&c) = inner.get(at) {
        match c {
            ',' => return true,
            '(' | '[' | '{' => at = skip_group(inner, at).unwrap_or(inner.len()),
            '\'' | '"' => at = skip_string(inner, at).unwrap_or(inner.len()),
            c if is_word(c) => {
                let end = skip_word(inner, at);
                if inner.get(at..end) == Some(&['f', 'o', 'r']) {
                    return true;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    false
}

/// The tokens at the top level, or `None` when the expression is of another kind or cut.
fn tokens(segment: &[char]) -> Option<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(&c) = segment.get(at) {
        let start = at;
        let after_operand = tokens
            .last()
            .is_some_and(|token| matches!(token.kind, Kind::Atom | Kind::Group(_)));
        let kind = match c {
            c if c.is_whitespace() || c == '\\' => {
                at += 1;
                continue;
            }
            '#' => {
                at = segment
                    .iter()
                    .skip(at)
                    .position(|&c| c == '\n')
                    .map_or(segment.len(), |length| at + length);
                continue;
            }
            '(' | '[' | '{' => {
                at = skip_group(segment, at)?;
                Kind::Group(c)
            }
            '\'' | '"' => {
                at = skip_string(segment, at)?;
                Kind::Atom
            }
            '.' if segment.get(at..at + 3) == Some(&['.', '.', '.']) => {
                at += 3;
                Kind::Atom
            }
            c if c.is_ascii_digit() || (c == '.' && !after_operand) => {
                at = skip_number(segment, at);
                Kind::Atom
            }
            '.' => {
                at += 1;
                Kind::Dot
            }
            c if is_word(c) => {
                at = skip_word(segment, at);
                let word: String = segment.get(start..at)?.iter().collect();
                if matches!(segment.get(at), Some('\'' | '"')) && word.len() <= 2 {
                    at = skip_string(segment, at)?;
                    Kind::Atom
                } else if WORDS.contains(&word.as_str()) {
                    return None;
                } else if word == "await" {
                    Kind::Await
                } else {
                    Kind::Atom
                }
            }
            _ => {
                let (kind, length) = operator(segment.get(at..)?, after_operand)?;
                at += length;
                kind
            }
        };
        tokens.push(Token {
            kind,
            start,
            end: at,
        });
    }
    Some(tokens)
}

/// The operator at the start of `rest`, and its length.
fn operator(rest: &[char], after_operand: bool) -> Option<(Kind, usize)> {
    let matches = |text: &str| text.chars().eq(rest.iter().take(text.len()).copied());
    if !after_operand {
        return matches!(rest.first()?, '+' | '-' | '~').then_some((Kind::Unary, 1));
    }
    let (text, strength) = OPERATORS.iter().find(|(text, _)| matches(text))?;
    // `a += b` is a statement of its own.
    if rest.get(text.len()) == Some(&'=') {
        return None;
    }
    Some((Kind::Binary(*strength), text.len()))
}

/// The index behind the bracketed part that opens at `at`.
fn skip_group(segment: &[char], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = at;
    loop {
        match segment.get(at)? {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            '\'' | '"' => {
                at = skip_string(segment, at)?;
                continue;
            }
            '#' => {
                at += segment.iter().skip(at).position(|&c| c == '\n')?;
            }
            _ => {}
        }
        at += 1;
    }
}

/// The index behind the string whose quote is at `at`.
fn skip_string(segment: &[char], at: usize) -> Option<usize> {
    let quote = *segment.get(at)?;
    let triple = segment.get(at..at + 3) == Some(&[quote; 3]);
    let length = if triple { 3 } else { 1 };
    let mut at = at + length;
    loop {
        match segment.get(at)? {
            '\\' => at += 2,
            c if *c == quote && (!triple || segment.get(at..at + 3) == Some(&[quote; 3])) => {
                return Some(at + length);
            }
            '\n' if !triple => return None,
            _ => at += 1,
        }
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn skip_word(segment: &[char], at: usize) -> usize {
    let length = segment.iter().skip(at).take_while(|c| is_word(**c)).count();
    at + length
}

/// The index behind the number at `at`; `1e-5` is one number, `1-5` is not.
fn skip_number(segment: &[char], at: usize) -> usize {
    let hex = matches!(segment.get(at + 1), Some('x' | 'X'));
    let mut end = at;
    while let Some(&c) = segment.get(end) {
        let exponent = !hex && end > at && matches!(segment.get(end - 1), Some('e' | 'E'));
        if is_word(c) || c == '.' || (exponent && matches!(c, '+' | '-')) {
            end += 1;
        } else {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str) -> Option<(Shape, String)> {
        let chars: Vec<char> = text.chars().collect();
        let found = find(&chars)?;
        Some((found.shape, chars[found.start..found.end].iter().collect()))
    }

    fn binary(text: &str) -> Option<(Shape, String)> {
        Some((Shape::Binary, text.to_owned()))
    }

    #[test]
    fn the_weakest_operator_is_found() {
        assert_eq!(marked("a + b * c"), binary("+"));
        assert_eq!(marked("a * b + c - d"), binary("-"));
        assert_eq!(marked("a ** b ** c // d"), binary("//"));
        assert_eq!(marked("(a+b)*(c-d)"), binary("*("));
        assert_eq!(marked("a*(c, d)"), binary("*"));
        assert_eq!(marked("-a * 1e-5"), binary("*"));
        assert_eq!(marked("await f() | 'x|y'"), binary("|"));
    }

    #[test]
    fn powers_group_from_the_right_and_prefixes_bind_looser() {
        let chars: Vec<char> = "a ** b ** c".chars().collect();
        assert_eq!(find(&chars).unwrap().start, 2);
        assert_eq!(marked("-a ** b"), None);
        assert_eq!(marked("a ** -b"), binary("**"));
    }

    #[test]
    fn subscripts_and_calls_end_in_brackets() {
        assert_eq!(
            marked("a.b[c[0]]"),
            Some((Shape::Subscript, "[c[0]]".into()))
        );
        assert_eq!(marked("f(x)(y='(')"), Some((Shape::Call, "(y='(')".into())));
        assert_eq!(marked("await f(x)"), None);
        assert_eq!(marked("[a]"), None);
        assert_eq!(marked("a.b"), None);
    }

    #[test]
    fn other_expressions_have_no_operator() {
        for text in [
            "a < b",
            "a + b if c else d",
            "not a + b",
            "a, b + c",
            "a = b + c",
            "lambda: a+b",
            "(a",
            "'a",
            "",
        ] {
            assert_eq!(marked(text), None, "{text}");
        }
    }
}
