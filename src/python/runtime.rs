//! Where CPython's runtime state is.

use crate::addr::Addr;
use serde::Serialize;

/// The runtime as found.
#[derive(Clone, Debug, Serialize)]
pub struct Runtime {
    /// Address of `_PyRuntime` (3.7+).
    pub addr: Option<Addr>,
    /// The image it lies in.
    pub image: Option<String>,
    /// How it was found, in words.
    pub source: String,
}
