//! End-to-end and crash tests over the real binaries.
