//! The fleet service.
