//! Fleet as a service: real Postgres, real NATS, real gRPC.

mod accepts;
mod groups;
mod house;
mod leaving;
mod life;
mod permissions;
mod stores;
