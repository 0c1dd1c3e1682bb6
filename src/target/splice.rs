//! File pages under dumped pages.
