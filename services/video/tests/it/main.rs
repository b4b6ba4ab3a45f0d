//! The video sessions service over real Postgres and NATS.

mod calls;
mod files;
mod house;
mod life;
mod livekit;
mod permissions;
mod replicas;
mod stores;
