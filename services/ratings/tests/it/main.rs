//! Ratings as a service: real Postgres, real NATS, real gRPC.

mod devices;
mod house;
mod life;
mod permissions;
mod sessions;
mod stores;
