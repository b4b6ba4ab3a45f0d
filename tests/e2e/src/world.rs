//! An organisation to play in.

/// An organisation with people, teams, a customer, templates, devices and codes.
#[derive(Debug)]
pub struct World;
