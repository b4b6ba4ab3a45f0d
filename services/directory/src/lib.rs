//! The directory service.
