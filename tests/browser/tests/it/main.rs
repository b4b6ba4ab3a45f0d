//! Calls between two browsers (V-3, V-4, V-8, V-10): pages of the gateway, services as processes, Chromium with fake devices.

mod call;
mod door;
mod files;
mod mishaps;
mod peer;
mod scene;
