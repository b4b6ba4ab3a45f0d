//! Pure decisions of the directory context.
