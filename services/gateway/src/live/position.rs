//! Where a reader is: in every context's stream at once.

use std::fmt;
use std::str::FromStr;

use crate::upstream::CONTEXTS;

/// The last sequence that was sent or passed over, for each context. As text `d12-t345-f9-r4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position(pub [u64; CONTEXTS.len()]);

/// The index of a context.
pub fn index(context: &str) -> Option<usize> {
    CONTEXTS.iter().position(|name| *name == context)
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (context, sequence)) in CONTEXTS.iter().zip(self.0).enumerate() {
            if index > 0 {
                f.write_str("-")?;
            }
            write!(f, "{}{sequence}", &context[..1])?;
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut found = [None; CONTEXTS.len()];
        for part in text.trim().split('-') {
            let at = CONTEXTS.iter().position(|context| part.starts_with(&context[..1])).ok_or(())?;
            let sequence = part[1..].parse().map_err(|_| ())?;
            if found[at].replace(sequence).is_some() {
                return Err(());
            }
        }
        let mut position = Self::default();
        for (at, sequence) in found.into_iter().enumerate() {
            position.0[at] = sequence.ok_or(())?;
        }
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text() {
        let position = Position([12, 345, 9, 0]);
        assert_eq!(position.to_string(), "d12-t345-f9-r0");
        assert_eq!("d12-t345-f9-r0".parse(), Ok(position));
        for wrong in ["", "d1", "d1-t2-f3-r4-d5", "d1-t2-f3-rx", "é1-t2-f3-r4", "x1-t2-f3-r4"] {
            assert_eq!(wrong.parse::<Position>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn contexts_begin_with_letters_of_their_own() {
        let letters: std::collections::HashSet<&str> = CONTEXTS.iter().map(|context| &context[..1]).collect();
        assert_eq!(letters.len(), CONTEXTS.len());
    }
}
