//! Frame chains of each kind.
