//! Goldens of the public contracts: tests only, see `tests/it`.
