//! The tasks service.
