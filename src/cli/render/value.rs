//! Values of Python objects in answers: the text that `repr` would give, within the limits of
//! `set print …`.

use crate::cli::Session;
use pydbg::Addr;
use pydbg::python::Python;
use pydbg::python::value::Limits;
use serde::Serialize;
use std::sync::Arc;

/// One value.
#[derive(Clone, Debug, Serialize)]
pub struct ValueView {
    /// Where the object is.
    pub address: Addr,
    /// The full name of its class, such as `int` or `app.Account`; `None` when it is not known.
    #[serde(rename = "type")]
    pub class: Option<Arc<str>>,
    /// As `repr` writes it.
    pub repr: String,
    /// Whether something was left out of `repr`; it says what.
    pub cut: bool,
    /// How many parts of it could not be read; `repr` says which.
    pub unreadable: usize,
}

impl ValueView {
    /// The object at `address`.
    pub fn of(python: &Python, address: Addr, limits: Limits) -> ValueView {
        let objects = &python.objects;
        let shown = objects.show(address, limits);
        let ty = objects.type_of(address).ok();
        ValueView {
            address,
            class: ty.map(|ty| objects.full_name(&ty)),
            repr: shown.text,
            cut: shown.cut,
            unreadable: shown.unreadable,
        }
    }
}

/// The limits of `set print …`, for a value in a list of variables.
pub fn limits(session: &Session) -> Limits {
    let count = |name: &str| match session.settings.get_count(name) {
        None | Some(0) => usize::MAX,
        Some(count) => count,
    };
    Limits {
        elements: count("print elements"),
        depth: count("print depth"),
        total: count("print repr-limit"),
        attributes: session.settings.get("print attributes") == "on",
    }
}
