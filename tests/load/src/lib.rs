//! Measures Callboard against the limit.
