//! The support desk as a service: real Postgres, real NATS, real gRPC.

mod desk;
mod domains;
mod life;
mod lists;
mod pages;
mod permissions;
mod stores;
