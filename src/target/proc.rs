//! What /proc says about a live process.
