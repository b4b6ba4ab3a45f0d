//! What tests share: backing servers per run, mock clock, builders, waiting for conditions.
