//! Thread states.
