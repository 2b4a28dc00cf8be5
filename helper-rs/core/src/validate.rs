//! Checks OCI documents against their specifications.
