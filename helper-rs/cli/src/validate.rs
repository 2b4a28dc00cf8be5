//! `validate KIND [FILE]`.
