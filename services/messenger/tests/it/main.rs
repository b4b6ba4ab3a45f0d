//! The messenger as a service: real Postgres, real NATS, real gRPC.

mod house;
mod life;
mod live;
mod pages;
mod permissions;
mod stores;
mod video;
