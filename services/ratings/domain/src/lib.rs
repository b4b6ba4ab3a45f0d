//! Pure decisions of the ratings context.
