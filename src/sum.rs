//! How many things there are, and how many bytes they have.

use serde::Serialize;

/// How many, and how many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Sum {
    /// Adds one of so many bytes.
    pub fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Adds others.
    pub fn merge(&mut self, other: Sum) {
        self.count += other.count;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}
