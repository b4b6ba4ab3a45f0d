//! Pure decisions of the fleet context.
