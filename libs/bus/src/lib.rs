//! Publisher and subscriber ports for events, with JetStream and in-memory adapters.
