//! The door for people and programs: REST, live events, aggregated views, gRPC pass-through.
