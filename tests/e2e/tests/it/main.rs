//! The life of a ticket over separate processes, and what must hold when they die.

mod authorisation;
mod conversation;
mod crash;
mod erasure;
mod events;
mod files;
mod grpc;
mod hidden;
mod isolation;
mod life;
mod live;
mod notifications;
mod operations;
mod play;
mod rush;
mod sessions;
mod standalone;
mod start;
mod support;
mod tasks;
mod video;
mod webhooks;
