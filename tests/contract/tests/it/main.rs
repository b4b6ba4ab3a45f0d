//! The public contracts, as they were last agreed on. `UPDATE_GOLDENS=1 cargo test -p callboard-contract-tests` writes
//! them anew; the difference is then there to be judged in review.

mod events;
mod golden;
mod openapi;
