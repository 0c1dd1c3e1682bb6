//! Names of roots, each kept once.

use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A table of names.
#[derive(Debug, Default)]
pub(super) struct Names {
    all: Vec<Arc<str>>,
    numbers: FxHashMap<Arc<str>, u32>,
}

impl Names {
    /// The number of a name.
    pub(super) fn number(&mut self, name: &Arc<str>) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = super::number(self.all.len());
        self.all.push(Arc::clone(name));
        self.numbers.insert(Arc::clone(name), number);
        number
    }

    /// The name with this number.
    pub(super) fn get(&self, number: u32) -> Option<&Arc<str>> {
        self.all.get(number as usize)
    }
}
