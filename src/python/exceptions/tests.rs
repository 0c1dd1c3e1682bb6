//! Synthetic exceptions.
