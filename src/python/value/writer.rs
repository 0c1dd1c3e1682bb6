//! The walk over a value: text so far, what is being written (for cycles), and what the limits
//! leave. Whatever lies in memory, it ends: each step is counted.

use super::shape::Shape;
use super::{Limits, Shown, default};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo};
use crate::target::Fault;

/// The most objects that are visited for one value, whatever the limits say.
const MOST_STEPS: usize = 50_000_000;

/// The most characters of one value, whatever the limits say.
const MOST_CHARACTERS: usize = 1 << 28;

/// The deepest nesting that is followed, whatever the limits say; the walk is recursive.
const DEEPEST: usize = 200;

/// The most objects written within each other, those included that do not count as containers.
const MOST_NESTED: usize = 2 * DEEPEST;

/// Writes values.
pub struct Writer<'o> {
    /// Reads the objects.
    pub objects: &'o Objects,
    /// How much is written.
    pub limits: Limits,
    out: String,
    /// Characters in `out`.
    written: usize,
    path: Vec<Addr>,
    steps: usize,
    /// Calls of [`Writer::object`] within each other: a decoder may write objects without
    /// beginning a container.
    nesting: usize,
    cut: bool,
    unreadable: usize,
}

impl<'o> Writer<'o> {
    /// A writer with nothing written.
    pub fn new(objects: &'o Objects, limits: Limits) -> Writer<'o> {
        Writer {
            objects,
            limits,
            out: String::new(),
            written: 0,
            path: Vec::new(),
            steps: 0,
            nesting: 0,
            cut: false,
            unreadable: 0,
        }
    }

    /// What was written.
    pub fn finish(self) -> Shown {
        Shown {
            text: self.out,
            cut: self.cut,
            unreadable: self.unreadable,
        }
    }

    /// Writes the object at `addr`; what cannot be read is said in its place.
    pub fn object(&mut self, addr: Addr) {
        if addr.is_null() {
            self.push("<NULL>");
            return;
        }
        if self.nesting >= MOST_NESTED || self.steps >= MOST_STEPS {
            self.left_out("more, too deep or too many");
            return;
        }
        self.steps += 1;
        self.nesting += 1;
        let (start, written) = (self.out.len(), self.written);
        let depth = self.path.len();
        let result = match self.objects.type_of(addr) {
            Ok(ty) => match self.objects.shape(&ty) {
                Shape::Known(decoder) => decoder(self, addr, &ty),
                Shape::Custom | Shape::Plain => default::object(self, addr, &ty),
            },
            Err(fault) => Err(fault),
        };
        if let Err(fault) = result {
            // A half of a value would look like a whole one.
            self.path.truncate(depth);
            self.out.truncate(start);
            self.written = written;
            self.unreadable(addr, fault);
        }
        self.nesting -= 1;
    }

    /// Says that the object at `addr` cannot be read.
    pub fn unreadable(&mut self, addr: Addr, fault: Fault) {
        self.unreadable += 1;
        let why = match fault.addr == addr {
            true => fault.why.to_string(),
            false => format!("{fault}"),
        };
        self.push(&format!("<unreadable object at {addr}: {why}>"));
    }

    /// Writes text as it is.
    pub fn push(&mut self, text: &str) {
        self.written += text.chars().count();
        self.out.push_str(text);
    }

    /// The end of the text so far, for [`Writer::shorten`].
    pub fn mark(&self) -> usize {
        self.out.len()
    }

    /// How many characters were written since `mark`.
    pub fn chars_since(&self, mark: usize) -> usize {
        self.out.get(mark..).map_or(0, |text| text.chars().count())
    }

    /// Drops what was written since `mark` beyond the first `most` characters, where Python's own
    /// `repr` does so.
    pub fn shorten(&mut self, mark: usize, most: usize) {
        let text = self.out.get(mark..).unwrap_or_default();
        if let Some((end, _)) = text.char_indices().nth(most) {
            self.out.truncate(mark + end);
            self.written = self.out.chars().count();
        }
    }

    /// Drops the last character if it is this one.
    pub fn drop_end(&mut self, end: char) {
        if self.out.ends_with(end) {
            self.out.pop();
            self.written = self.written.saturating_sub(1);
        }
    }

    /// Whether there is no room for more; then what follows is to be counted, not written.
    pub fn is_full(&self) -> bool {
        self.written >= self.limits.total.min(MOST_CHARACTERS) || self.steps >= MOST_STEPS
    }

    /// How many characters there is room for.
    pub fn room(&self) -> usize {
        self.limits.total.saturating_sub(self.written)
    }

    /// Notes that something was left out and says what, in angle brackets.
    pub fn left_out(&mut self, what: &str) {
        self.cut = true;
        self.push(&format!("<{what}>"));
    }

    /// Says behind a string or number how much of it was left out; nothing when that is 0.
    pub fn rest(&mut self, left_out: u64, what: &str) {
        if left_out > 0 {
            let plural = if left_out == 1 { "" } else { "s" };
            self.push("...");
            self.left_out(&format!("and {left_out} more {what}{plural}"));
        }
    }

    /// Begins a container. When it is too deep, or is being written already, that is written
    /// instead (`...` within the container's own brackets is the caller's affair): `false`.
    /// Every `true` wants a [`Writer::leave`].
    pub fn enter(&mut self, addr: Addr) -> bool {
        if self.is_open(addr) || self.is_too_deep() {
            return false;
        }
        self.path.push(addr);
        true
    }

    fn is_too_deep(&self) -> bool {
        self.path.len() >= self.limits.depth.min(DEEPEST)
    }

    /// Whether the object at `addr` is being written already, further out.
    pub fn is_open(&self, addr: Addr) -> bool {
        self.path.contains(&addr)
    }

    /// Ends a container.
    pub fn leave(&mut self) {
        self.path.pop();
    }

    /// A container's items between brackets, separated by commas: `total` is how many there are,
    /// of which `items` are the first ones read; `item` writes one. Cycles are written as Python
    /// does, `[...]`; so is what is too deep, with a word that it was left out.
    pub fn items<T>(
        &mut self,
        addr: Addr,
        (open, close): (&str, &str),
        total: usize,
        items: impl IntoIterator<Item = T>,
        item: impl FnMut(&mut Writer<'o>, T),
    ) {
        if total > 0 && self.is_open(addr) {
            self.push(open);
            self.push("...");
            self.push(close);
            return;
        }
        self.fields(addr, (open, close), total, items, item);
    }

    /// As [`Writer::items`], for types whose `repr` does not watch for cycles (named tuples): what
    /// they contain has to.
    pub fn fields<T>(
        &mut self,
        addr: Addr,
        (open, close): (&str, &str),
        total: usize,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Writer<'o>, T),
    ) {
        self.push(open);
        if total == 0 {
            self.push(close);
            return;
        }
        if self.is_too_deep() {
            let plural = if total == 1 { "" } else { "s" };
            self.left_out(&format!("{total} item{plural}"));
        } else {
            self.path.push(addr);
            let mut count = 0;
            for each in items.into_iter().take(self.limits.elements) {
                if self.is_full() {
                    break;
                }
                if count > 0 {
                    self.push(", ");
                }
                item(self, each);
                count += 1;
            }
            if count < total {
                self.push(if count > 0 { ", " } else { "" });
                self.left_out(&format!("{} more", total - count));
            }
            self.leave();
        }
        self.push(close);
    }

    /// Writes an object whose address may not be known.
    pub fn item(&mut self, item: Result<Addr, Fault>) {
        match item {
            Ok(addr) => self.object(addr),
            Err(fault) => self.gap(fault),
        }
    }

    /// Writes `key: value`, where these may not be known.
    pub fn pair(&mut self, item: Result<(Addr, Addr), Fault>) {
        match item {
            Ok((key, value)) => {
                self.object(key);
                self.push(": ");
                self.object(value);
            }
            Err(fault) => self.gap(fault),
        }
    }

    /// Says that what follows in a container cannot be read.
    pub fn gap(&mut self, fault: Fault) {
        self.unreadable += 1;
        self.push(&format!("<unreadable: {fault}>"));
    }

    /// Writes an object within another whose `repr` consists of it and does not watch for cycles.
    pub fn within(&mut self, outer: Addr, addr: Addr) {
        if self.is_too_deep() {
            self.left_out("1 item");
            return;
        }
        self.path.push(outer);
        self.object(addr);
        self.leave();
    }

    /// The value of a builtin, which `body` writes, for an object that may be of a subclass:
    /// `repr` is inherited and does not tell the class, so that is written around it where
    /// attributes are wanted: `Stack([1, 2])`, with the attributes behind.
    pub fn inherited(&mut self, addr: Addr, ty: &TypeInfo, body: impl FnOnce(&mut Writer<'o>)) {
        self.classed(ty, body);
        if self.limits.attributes && ty.is_heap() && self.enter(addr) {
            let attributes = self.objects.instance_attributes(addr);
            self.attributes(attributes);
            self.leave();
        }
    }

    /// The attributes in the dictionary of an instance of a Python class, behind a `repr` that
    /// tells the class but not these.
    pub fn extras(&mut self, addr: Addr, ty: &TypeInfo) {
        if self.limits.attributes && ty.is_heap() && self.enter(addr) {
            let attributes = self.objects.namespace(addr);
            self.attributes(attributes);
            self.leave();
        }
    }

    /// What `body` writes, with the name of a Python class around it where attributes are wanted.
    pub fn classed(&mut self, ty: &TypeInfo, body: impl FnOnce(&mut Writer<'o>)) {
        if !self.limits.attributes || !ty.is_heap() {
            body(self);
            return;
        }
        self.push(short_name(ty).unwrap_or("?"));
        self.push("(");
        body(self);
        self.push(")");
    }

    /// `name=value` for each attribute, behind what was written: ` (a=1, b=2)`; nothing when
    /// there are none.
    pub fn attributes(&mut self, attributes: Result<Vec<(Addr, Addr)>, Fault>) {
        const LONGEST_NAME: u64 = 200;
        let attributes = match attributes {
            Ok(attributes) => attributes,
            Err(fault) => {
                self.unreadable += 1;
                self.push(&format!(" <attributes cannot be read: {fault}>"));
                return;
            }
        };
        if attributes.is_empty() {
            return;
        }
        self.push(" (");
        for (index, (name, value)) in attributes.iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            if self.is_full() || index >= self.limits.elements {
                self.left_out(&format!("{} more", attributes.len() - index));
                break;
            }
            match self.objects.text(*name, LONGEST_NAME) {
                Ok(text) => self.push(&text.value),
                Err(_) => self.object(*name),
            }
            self.push("=");
            self.object(*value);
        }
        self.push(")");
    }
}

/// The name of a class without its module; `None` when it cannot be read.
pub(super) fn short_name(ty: &TypeInfo) -> Option<&str> {
    let name = ty.name.as_deref()?;
    Some(name.rsplit('.').next().unwrap_or(name))
}
