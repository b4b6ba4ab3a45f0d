//! Architecture rules as tests.
