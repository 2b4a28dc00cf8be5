//! Layers: unpack, list, check, merge, remove.
