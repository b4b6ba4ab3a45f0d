//! Fleet as a service: real Postgres, real NATS, real gRPC.

mod accepts;
mod devices;
mod groups;
mod house;
mod leaving;
mod life;
mod permissions;
mod stores;
