//! Synthetic targets for tests.
