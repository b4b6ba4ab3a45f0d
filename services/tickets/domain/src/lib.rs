//! Pure decisions of the tickets context.
