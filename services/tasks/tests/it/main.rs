//! The tasks service over real Postgres and NATS.

mod calendar;
mod due;
mod files;
mod house;
mod life;
mod pages;
mod stores;
