//! The grammar of expressions (Grammar/python.gram), by precedence climbing.

use super::ast::{Expr, Kind};
use super::error::{Class, Error, Span};
use super::lexer::{Token, tokens};
use super::value::Value;

/// The deepest tree.
const DEEPEST: usize = 100;

/// Binary operators with their precedence; `**` binds from the right.
const BINARY: &[(&str, u8)] = &[
    ("|", 5),
    ("^", 6),
    ("&", 7),
    ("<<", 8),
    (">>", 8),
    ("+", 9),
    ("-", 9),
    ("*", 10),
    ("/", 10),
    ("//", 10),
    ("%", 10),
    ("**", 12),
];

/// The precedence of `or`, `and`, `not`, comparisons, and the sign of a number.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const SIGN: u8 = 11;

/// Words that mean something in Python and cannot be names.
const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
    "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Parses an expression; in `two`, of Python 2.
pub(crate) fn parse(text: &str, two: bool) -> Result<Expr, Error> {
    let mut parser = Parser {
        tokens: tokens(text, two)?,
        next: 0,
        depth: 0,
    };
    let expr = parser.tuple()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected()),
    }
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        let token = self.tokens.get(self.next).or(self.tokens.last());
        token.map_or(&Token::End, |(token, _)| token)
    }

    fn span(&self) -> Span {
        let token = self.tokens.get(self.next).or(self.tokens.last());
        token.map_or(Span::default(), |(_, span)| *span)
    }

    /// Where the token that was taken last stands.
    fn last(&self) -> Span {
        let token = self.tokens.get(self.next.wrapping_sub(1));
        token.map_or(Span::default(), |(_, span)| *span)
    }

    fn unexpected(&self) -> Error {
        let message = match self.peek() {
            Token::End => "the expression is not complete",
            Token::Name(word) if word == "if" => "conditional expressions are not supported",
            Token::Name(word) if word == "lambda" => "functions cannot be written here",
            Token::Name(word) if word == "for" => "comprehensions are not supported",
            _ => "invalid syntax",
        };
        Error::new(Class::SyntaxError, message).at(self.span())
    }

    fn eat(&mut self, operator: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Operator(next) if *next == operator);
        self.next += usize::from(is_it);
        is_it
    }

    fn expect(&mut self, operator: &str) -> Result<(), Error> {
        match self.eat(operator) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Name(next) if next == word);
        self.next += usize::from(is_it);
        is_it
    }

    /// A node, unless it is too deep.
    fn node(&self, kind: Kind, span: Span, below: &[&Expr]) -> Result<Expr, Error> {
        let depth = below.iter().map(|expr| expr.depth + 1).max().unwrap_or(0);
        match depth > DEEPEST {
            false => Ok(Expr { kind, span, depth }),
            true => Err(Error::new(Class::TooLarge, "too deeply nested").at(span)),
        }
    }

    /// Runs `inner` one level deeper; the parser calls itself.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth >= DEEPEST {
            return Err(Error::new(Class::TooLarge, "too deeply nested").at(self.span()));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// `a, b`, or just `a`.
    fn tuple(&mut self) -> Result<Expr, Error> {
        let start = self.span();
        let first = self.expression(OR)?;
        if !matches!(self.peek(), Token::Operator(",")) {
            return Ok(first);
        }
        let items = self.items(Some(first), &[")", "]"])?;
        let span = start.to(self.last());
        self.list_node(Kind::Tuple, items, span)
    }

    fn list_node(
        &self,
        kind: fn(Vec<Expr>) -> Kind,
        items: Vec<Expr>,
        span: Span,
    ) -> Result<Expr, Error> {
        let depth = items.iter().map(|expr| expr.depth + 1).max().unwrap_or(0);
        let mut node = self.node(kind(items), span, &[])?;
        node.depth = depth;
        match depth > DEEPEST {
            false => Ok(node),
            true => Err(Error::new(Class::TooLarge, "too deeply nested").at(span)),
        }
    }

    /// Expressions separated by commas, up to one of the closing brackets or the end, which is
    /// not taken.
    fn items(&mut self, first: Option<Expr>, close: &[&str]) -> Result<Vec<Expr>, Error> {
        let mut items: Vec<Expr> = first.into_iter().collect();
        let mut comma = items.is_empty() || self.eat(",");
        loop {
            let closed = match self.peek() {
                Token::Operator(next) => close.contains(next),
                Token::End => true,
                _ => false,
            };
            if closed || !comma {
                return Ok(items);
            }
            items.push(self.expression(OR)?);
            comma = self.eat(",");
        }
    }

    /// An expression whose operators bind at least as strongly as `least`.
    fn expression(&mut self, least: u8) -> Result<Expr, Error> {
        self.nested(|parser| parser.climb(least))
    }

    fn climb(&mut self, least: u8) -> Result<Expr, Error> {
        let mut left = self.operand(least)?;
        loop {
            let start = left.span;
            if let Some((operator, binds)) = self.binary() {
                if binds < least {
                    return Ok(left);
                }
                self.next += 1;
                // The sign of an exponent binds more strongly than the power itself.
                let right = match operator {
                    "**" => self.expression(SIGN)?,
                    _ => self.expression(binds + 1)?,
                };
                let span = start.to(right.span);
                let depth = left.depth.max(right.depth) + 1;
                let kind = Kind::Binary(operator, Box::new(left), Box::new(right));
                left = self.deep(kind, span, depth)?;
            } else if least <= COMPARISON && self.comparison().is_some() {
                left = self.compare(left)?;
            } else if least <= AND && self.eat_word("and") {
                let right = self.expression(NOT)?;
                let span = start.to(right.span);
                let depth = left.depth.max(right.depth) + 1;
                left = self.deep(Kind::And(Box::new(left), Box::new(right)), span, depth)?;
            } else if least <= OR && self.eat_word("or") {
                let right = self.expression(AND)?;
                let span = start.to(right.span);
                let depth = left.depth.max(right.depth) + 1;
                left = self.deep(Kind::Or(Box::new(left), Box::new(right)), span, depth)?;
            } else {
                return Ok(left);
            }
        }
    }

    fn deep(&self, kind: Kind, span: Span, depth: usize) -> Result<Expr, Error> {
        match depth > DEEPEST {
            false => Ok(Expr { kind, span, depth }),
            true => Err(Error::new(Class::TooLarge, "too deeply nested").at(span)),
        }
    }

    fn binary(&self) -> Option<(&'static str, u8)> {
        match self.peek() {
            Token::Operator(next) => BINARY.iter().find(|(name, _)| name == next).copied(),
            _ => None,
        }
    }

    /// The comparison operator that comes next, and how many tokens it has.
    fn comparison(&self) -> Option<(&'static str, usize)> {
        let word = |offset: usize, word: &str| {
            let token = self.tokens.get(self.next + offset);
            matches!(token, Some((Token::Name(next), _)) if next == word)
        };
        match self.peek() {
            Token::Operator("<>") => Some(("!=", 1)),
            Token::Operator(next @ ("==" | "!=" | "<" | "<=" | ">" | ">=")) => Some((next, 1)),
            Token::Name(next) if next == "in" => Some(("in", 1)),
            Token::Name(next) if next == "not" && word(1, "in") => Some(("not in", 2)),
            Token::Name(next) if next == "is" && word(1, "not") => Some(("is not", 2)),
            Token::Name(next) if next == "is" => Some(("is", 1)),
            _ => None,
        }
    }

    fn compare(&mut self, left: Expr) -> Result<Expr, Error> {
        let start = left.span;
        let mut depth = left.depth;
        let mut rest = Vec::new();
        while let Some((operator, tokens)) = self.comparison() {
            self.next += tokens;
            let right = self.expression(COMPARISON + 1)?;
            depth = depth.max(right.depth);
            rest.push((operator, right));
        }
        let span = start.to(self.last());
        self.deep(Kind::Compare(Box::new(left), rest), span, depth + 1)
    }

    /// Something with the operators before it: `not a`, `-a`, `*0x7f…`.
    fn operand(&mut self, least: u8) -> Result<Expr, Error> {
        let start = self.span();
        let (operator, binds) = match self.peek() {
            Token::Operator(sign @ ("-" | "+" | "~")) => (*sign, SIGN),
            Token::Name(word) if word == "not" && least <= NOT => ("not", NOT),
            _ => return self.primary(),
        };
        self.next += 1;
        let inner = self.expression(binds)?;
        let span = start.to(inner.span);
        self.node(
            Kind::Unary(operator, Box::new(inner.clone())),
            span,
            &[&inner],
        )
    }

    /// An atom with what follows it: attributes, subscripts, calls.
    fn primary(&mut self) -> Result<Expr, Error> {
        let start = self.span();
        let mut expr = match self.eat("*") {
            true => {
                let inner = self.nested(Parser::atom)?;
                let span = start.to(self.last());
                let depth = inner.depth + 1;
                self.deep(Kind::At(Box::new(inner)), span, depth)?
            }
            false => self.nested(Parser::atom)?,
        };
        loop {
            let depth = expr.depth + 1;
            if self.eat(".") {
                let place = self.span();
                let Token::Name(name) = self.peek().clone() else {
                    return Err(self.unexpected());
                };
                self.next += 1;
                let kind = Kind::Attribute(Box::new(expr), name, place);
                expr = self.deep(kind, start.to(place), depth)?;
            } else if self.eat("[") {
                let index = self.nested(Parser::index)?;
                self.expect("]")?;
                let depth = depth.max(index.depth + 1);
                let kind = Kind::Subscript(Box::new(expr), Box::new(index));
                expr = self.deep(kind, start.to(self.last()), depth)?;
            } else if self.eat("(") {
                let items = self.nested(|parser| parser.items(None, &[")"]))?;
                self.expect(")")?;
                let inner = items.iter().map(|item| item.depth + 1).max().unwrap_or(0);
                let kind = Kind::Call(Box::new(expr), items);
                expr = self.deep(kind, start.to(self.last()), depth.max(inner))?;
            } else {
                return Ok(expr);
            }
        }
    }

    /// What stands within the brackets of a subscript.
    fn index(&mut self) -> Result<Expr, Error> {
        let start = self.span();
        let mut parts = [None, None, None];
        let mut depth = 0;
        let mut is_slice = false;
        for part in &mut parts {
            if !matches!(self.peek(), Token::Operator(":" | "]")) {
                let expr = match is_slice {
                    true => self.expression(OR)?,
                    false => self.tuple()?,
                };
                depth = depth.max(expr.depth + 1);
                *part = Some(Box::new(expr));
            }
            if !self.eat(":") {
                break;
            }
            is_slice = true;
        }
        match (is_slice, parts) {
            (false, [Some(index), ..]) => Ok(*index),
            (false, _) => Err(self.unexpected()),
            (true, parts) => self.deep(Kind::Slice(parts), start.to(self.last()), depth),
        }
    }

    fn atom(&mut self) -> Result<Expr, Error> {
        let start = self.span();
        let token = self.peek().clone();
        let kind = match token {
            Token::Literal(value) => return self.literal(value),
            Token::History(which) => Kind::History(which),
            Token::Name(word) => match word.as_str() {
                "None" => Kind::Literal(Value::None),
                "True" => Kind::Literal(Value::Bool(true)),
                "False" => Kind::Literal(Value::Bool(false)),
                word if KEYWORDS.contains(&word) => return Err(self.unexpected()),
                _ => Kind::Name(word),
            },
            Token::Operator("(") => return self.parenthesis(),
            Token::Operator("[") => {
                self.next += 1;
                let items = self.items(None, &["]"])?;
                self.expect("]")?;
                return self.list_node(Kind::List, items, start.to(self.last()));
            }
            Token::Operator(_) | Token::End => return Err(self.unexpected()),
        };
        self.next += 1;
        self.node(kind, start, &[])
    }

    /// A literal; strings that follow each other are one.
    fn literal(&mut self, mut value: Value) -> Result<Expr, Error> {
        let start = self.span();
        self.next += 1;
        loop {
            match (&mut value, self.peek()) {
                (Value::Str(text), Token::Literal(Value::Str(more))) => text.extend(more),
                (Value::Bytes(text), Token::Literal(Value::Bytes(more))) => text.extend(more),
                _ => break,
            }
            self.next += 1;
        }
        self.node(Kind::Literal(value), start.to(self.last()), &[])
    }

    fn parenthesis(&mut self) -> Result<Expr, Error> {
        let start = self.span();
        self.next += 1;
        if self.eat(")") {
            return self.node(Kind::Tuple(Vec::new()), start.to(self.last()), &[]);
        }
        let mut inner = self.tuple()?;
        self.expect(")")?;
        inner.span = start.to(self.last());
        Ok(inner)
    }
}
