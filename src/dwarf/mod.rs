//! Lines and inlined functions, from DWARF (gimli through addr2line).
