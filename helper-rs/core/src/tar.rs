//! Reads tar streams.
