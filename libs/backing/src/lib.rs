//! Finds, installs and runs a local Postgres and NATS server for development and tests.
