//! The ratings service.
