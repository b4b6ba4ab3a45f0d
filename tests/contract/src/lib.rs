//! Goldens of the public contracts.
