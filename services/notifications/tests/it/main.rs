//! Notifications as a service: real Postgres, real NATS, real gRPC, real SMTP, and a push service over HTTP.

mod addresses;
mod delivery;
mod devices;
mod directory;
mod drawer;
mod email;
mod house;
mod permissions;
mod preferences;
mod push;
mod standing;
mod stores;
mod support;
mod tasks;
mod video;
mod webhooks;
