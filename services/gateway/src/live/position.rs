//! Where a reader is: in every context's stream at once.

use std::fmt;
use std::str::FromStr;

use crate::upstream::CONTEXTS;

/// The last sequence that was sent or passed over, for each context. As text `di12-ti345-fl9-ra4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position(pub [u64; CONTEXTS.len()]);

/// So many letters tell the contexts apart.
const LETTERS: usize = 2;

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
            write!(f, "{}{sequence}", &context[..LETTERS])?;
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut found = [None; CONTEXTS.len()];
        for part in text.trim().split('-') {
            let at = CONTEXTS.iter().position(|context| part.starts_with(&context[..LETTERS])).ok_or(())?;
            let sequence = part[LETTERS..].parse().map_err(|_| ())?;
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
        let mut position = Position::default();
        position.0[0] = 12;
        position.0[CONTEXTS.len() - 1] = 345;
        let text = position.to_string();
        assert!(text.starts_with("di12-ti0-"), "{text}");
        assert_eq!(text.parse(), Ok(position));
        let twice = format!("{text}-di5");
        let other = text.replace("di12", "xx12");
        for wrong in ["", "di1", "é1", twice.as_str(), other.as_str(), &text.replace("345", "x")] {
            assert_eq!(wrong.parse::<Position>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn contexts_begin_with_letters_of_their_own() {
        let letters: std::collections::HashSet<&str> =
            CONTEXTS.iter().map(|context| &context[..LETTERS]).collect();
        assert_eq!(letters.len(), CONTEXTS.len());
    }
}
