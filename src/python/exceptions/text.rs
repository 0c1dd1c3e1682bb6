//! What `str()` of an exception gives, by the rules of the builtin classes (Objects/exceptions.c:
//! `BaseException_str`, `OSError_str` and so on). A class that defines `__str__` in Python has
//! code of its own, which cannot be run.

use super::{Reader, SyntaxDetails};
use crate::addr::Addr;
use crate::python::layout::StrKind;
use crate::python::object::{TypeInfo, flags};
use crate::python::value::Limits;
use crate::target::Fault;
use std::sync::Arc;

/// The longest text that is shown whole, in characters.
const LONGEST: u64 = 10_000;

/// Exceptions within exceptions are followed so deep.
const DEEPEST: usize = 20;

/// Values within messages.
const LIMITS: Limits = Limits {
    elements: 1000,
    depth: 20,
    total: 20_000,
    attributes: false,
};

/// What `str()` gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// This.
    Known(String),
    /// Nobody can tell without running code; in words.
    Unknown(String),
}

impl Message {
    /// The text, if it is known.
    pub fn known(&self) -> Option<&str> {
        match self {
            Message::Known(text) => Some(text),
            Message::Unknown(_) => None,
        }
    }
}

/// The text, or in words why there is none.
type Text = Result<String, String>;

/// Writes `str()` of an exception of one builtin class.
type Rule = fn(&Reader<'_>, Addr, usize) -> Text;

/// The builtin classes that define `__str__`. 2.7's names begin with `exceptions.`.
const RULES: &[(&str, Rule)] = &[
    ("BaseException", base),
    ("BaseExceptionGroup", group),
    ("EnvironmentError", os_error),
    ("ImportError", import_error),
    ("KeyError", key_error),
    ("OSError", os_error),
    ("SyntaxError", syntax_error),
    ("UnicodeDecodeError", decode_error),
    ("UnicodeEncodeError", encode_error),
    ("UnicodeTranslateError", translate_error),
];

/// Builtin types that have a `__str__` of their own in some version, which does what `repr` does.
const AS_REPR: &[&str] = &["object", "int", "long", "complex", "bool", "bytes", "type"];

impl From<Text> for Message {
    fn from(text: Text) -> Message {
        text.map_or_else(Message::Unknown, Message::Known)
    }
}

impl Reader<'_> {
    /// `str()` of an exception.
    pub(super) fn message(&self, exception: Addr) -> Message {
        self.exception(exception, 0).into()
    }

    /// `str()` of any object.
    pub(super) fn str(&self, object: Addr) -> Message {
        self.str_within(object, 0).into()
    }

    /// `repr()` of any object.
    pub(super) fn repr(&self, object: Addr) -> String {
        self.objects.show(object, LIMITS).text
    }

    fn exception(&self, at: Addr, depth: usize) -> Text {
        let ty = self
            .objects
            .type_of(at)
            .map_err(|fault| fault.to_string())?;
        match self.rule(&ty)? {
            Some(rule) => rule(self, at, depth),
            None => base(self, at, depth),
        }
    }

    /// The rule of the first class in the method resolution order that defines `__str__`; an error
    /// when that is a class with code of its own.
    fn rule(&self, ty: &Arc<TypeInfo>) -> Result<Option<Rule>, String> {
        let objects = self.objects;
        for class in objects.mro(ty).iter() {
            let name = objects.full_name(class);
            if !class.is_heap() {
                let short = name.strip_prefix("exceptions.").unwrap_or(&name);
                if let Some((_, rule)) = RULES.iter().find(|(known, _)| *known == short) {
                    return Ok(Some(*rule));
                }
                if class.name.is_none() {
                    return Err("str() depends on a class whose name is not in the core".into());
                }
                continue;
            }
            let dict = objects.type_dict(class);
            let own = dict.and_then(|dict| objects.dict_get(dict, "__str__").ok()?);
            if own.is_some() {
                return Err(format!("str() is code of {name}"));
            }
        }
        Ok(None)
    }

    fn str_within(&self, object: Addr, depth: usize) -> Text {
        let objects = self.objects;
        let ty = objects.type_of(object).map_err(|fault| fault.to_string())?;
        let legacy = objects.layout.kinds.str == StrKind::Pointer;
        if ty.is(flags::EXCEPTION) {
            return match depth < DEEPEST {
                true => self.exception(object, depth + 1),
                false => Err("exceptions within exceptions".into()),
            };
        }
        let owner = objects.class_attribute(&ty, "__str__");
        let owner = owner.map(|(_, class)| class);
        let is_own = owner.as_ref().is_some_and(|class| class.is_heap());
        let is_text = ty.is(flags::STR) || legacy && ty.is(flags::BYTES);
        if is_text && !is_own {
            return Ok(self.text(object));
        }
        match owner.map(|class| objects.full_name(&class)) {
            Some(name) if is_own || !AS_REPR.contains(&&*name) && !self.same(&name) => {
                Err(format!("str() of its argument is code of {name}"))
            }
            _ => Ok(self.repr(object)),
        }
    }

    /// From 3.0 on `str()` of a float is its `repr`.
    fn same(&self, name: &str) -> bool {
        name == "float" && self.objects.layout.kinds.str != StrKind::Pointer
    }

    /// The characters of a string.
    fn text(&self, object: Addr) -> String {
        match self.objects.text(object, LONGEST) {
            Ok(text) if text.left_out == 0 => text.value,
            Ok(text) => format!("{}<and {} more characters>", text.value, text.left_out),
            Err(fault) => format!("<unreadable: {fault}>"),
        }
    }

    /// The word with this number behind the fields that every exception has.
    fn word(&self, at: Addr, number: u64) -> Result<Addr, String> {
        let base = self.objects.layout.fields.exception.size.of(at);
        let read = self.objects.memory.ptr(base.add(number * 8));
        read.map_err(|fault: Fault| fault.to_string())
    }
}

/// `BaseException_str`: nothing, the one argument, or all of them.
fn base(reader: &Reader<'_>, at: Addr, depth: usize) -> Text {
    let objects = reader.objects;
    let args = objects.layout.fields.exception.args.of(at);
    let read = || objects.tuple_items(objects.memory.ptr(args)?, 2);
    match read().map_err(|fault| fault.to_string())?.as_slice() {
        [] => Ok(String::new()),
        [one] => reader.str_within(*one, depth),
        _ => Ok(reader.repr(objects.memory.ptr(args).unwrap_or(Addr::NULL))),
    }
}

/// `KeyError_str`: the one key as `repr` writes it.
fn key_error(reader: &Reader<'_>, at: Addr, depth: usize) -> Text {
    let objects = reader.objects;
    let args = objects.layout.fields.exception.args.of(at);
    let read = || objects.tuple_items(objects.memory.ptr(args)?, 2);
    match read().map_err(|fault| fault.to_string())?.as_slice() {
        [one] => Ok(reader.repr(*one)),
        _ => base(reader, at, depth),
    }
}

/// `OSError_str`, in 2.7 `EnvironmentError_str`: errno, its text, and file names.
fn os_error(reader: &Reader<'_>, at: Addr, depth: usize) -> Text {
    let (errno, strerror) = (reader.word(at, 0)?, reader.word(at, 1)?);
    let filename = reader.word(at, 2)?;
    // 2.7 has one file name; what follows is another object there.
    let second = match reader.objects.layout.fields.exception.cause {
        Some(_) => reader.word(at, 3)?,
        None => Addr::NULL,
    };
    let or_none = |word: Addr| match word.is_null() {
        true => Ok("None".to_owned()),
        false => reader.str_within(word, depth),
    };
    let start = || {
        Ok::<_, String>(format!(
            "[Errno {}] {}",
            or_none(errno)?,
            or_none(strerror)?
        ))
    };
    match (filename.is_null(), second.is_null()) {
        (false, false) => Ok(format!(
            "{}: {} -> {}",
            start()?,
            reader.repr(filename),
            reader.repr(second)
        )),
        (false, true) => Ok(format!("{}: {}", start()?, reader.repr(filename))),
        (true, _) if !errno.is_null() && !strerror.is_null() => start(),
        (true, _) => base(reader, at, depth),
    }
}

/// `ImportError_str`: the message, if it is a string. 2.7 has no such rule.
fn import_error(reader: &Reader<'_>, at: Addr, depth: usize) -> Text {
    if reader.objects.layout.fields.exception.cause.is_none() {
        return base(reader, at, depth);
    }
    let msg = reader.word(at, 0)?;
    let ty = reader.objects.type_of(msg);
    match ty.is_ok_and(|ty| !msg.is_null() && ty.is(flags::STR) && !ty.is_heap()) {
        true => Ok(reader.text(msg)),
        false => base(reader, at, depth),
    }
}

fn syntax_error(reader: &Reader<'_>, at: Addr, _depth: usize) -> Text {
    Ok(SyntaxDetails::read(reader, at).message())
}

/// `BaseExceptionGroup_str`.
fn group(reader: &Reader<'_>, at: Addr, depth: usize) -> Text {
    let message = reader.str_within(reader.word(at, 0)?, depth)?;
    let count = reader.objects.var_size(reader.word(at, 1)?);
    let count = count.map_err(|fault| fault.to_string())?;
    let plural = if count > 1 { "s" } else { "" };
    Ok(format!("{message} ({count} sub-exception{plural})"))
}

/// `PyUnicodeErrorObject`: encoding, object, start, end, reason.
struct Unicode {
    encoding: String,
    object: Addr,
    start: i64,
    end: i64,
    reason: String,
}

impl Unicode {
    fn read(reader: &Reader<'_>, at: Addr, depth: usize) -> Result<Unicode, String> {
        let encoding = reader.word(at, 0)?;
        Ok(Unicode {
            encoding: match encoding.is_null() {
                true => String::new(),
                false => reader.str_within(encoding, depth)?,
            },
            object: reader.word(at, 1)?,
            start: reader.word(at, 2)?.0 as i64,
            end: reader.word(at, 3)?.0 as i64,
            reason: reader.str_within(reader.word(at, 4)?, depth)?,
        })
    }

    /// The one character that the error is about, escaped as the message does it.
    fn character(&self, reader: &Reader<'_>) -> Option<String> {
        if self.end.checked_sub(1)? != self.start {
            return None;
        }
        let index = u64::try_from(self.start).ok()?;
        let code = reader.objects.character(self.object, index).ok()?;
        // 2.7 writes what `repr` would: with the prefix of a text string.
        let prefix = match reader.objects.layout.kinds.str {
            StrKind::Pointer => "u",
            _ => "",
        };
        Some(match code {
            0..=0xff => format!("{prefix}'\\x{code:02x}'"),
            0x100..=0xffff => format!("{prefix}'\\u{code:04x}'"),
            _ => format!("{prefix}'\\U{code:08x}'"),
        })
    }

    /// `character '\xe9' in position 3: reason`, or `characters in position 3-5: reason`.
    fn characters(&self, reader: &Reader<'_>) -> String {
        match self.character(reader) {
            Some(one) => self.one(&format!("character {one}")),
            None => self.range("characters"),
        }
    }

    /// `byte 0xff in position 3: reason`
    fn one(&self, what: &str) -> String {
        format!("{what} in position {}: {}", self.start, self.reason)
    }

    /// `bytes in position 3-5: reason`
    fn range(&self, what: &str) -> String {
        let last = self.end.wrapping_sub(1);
        format!("{what} in position {}-{last}: {}", self.start, self.reason)
    }
}

/// `UnicodeEncodeError_str`.
fn encode_error(reader: &Reader<'_>, at: Addr, depth: usize) -> Text {
    let error = Unicode::read(reader, at, depth)?;
    let tail = error.characters(reader);
    Ok(format!("'{}' codec can't encode {tail}", error.encoding))
}

/// `UnicodeDecodeError_str`.
fn decode_error(reader: &Reader<'_>, at: Addr, depth: usize) -> Text {
    let error = Unicode::read(reader, at, depth)?;
    let data = reader.objects.layout.fields.bytes.data.of(error.object);
    let one = (error.end.checked_sub(1) == Some(error.start)).then(|| {
        let inside = reader.objects.var_size(error.object).ok()? > error.start;
        let index = u64::try_from(error.start).ok().filter(|_| inside)?;
        reader.objects.memory.u8(data.add(index)).ok()
    });
    let tail = match one.flatten() {
        Some(byte) => error.one(&format!("byte 0x{byte:02x}")),
        None => error.range("bytes"),
    };
    Ok(format!("'{}' codec can't decode {tail}", error.encoding))
}

/// `UnicodeTranslateError_str`.
fn translate_error(reader: &Reader<'_>, at: Addr, depth: usize) -> Text {
    let error = Unicode::read(reader, at, depth)?;
    Ok(format!("can't translate {}", error.characters(reader)))
}
