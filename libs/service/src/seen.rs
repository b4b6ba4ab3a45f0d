//! What a reader has seen of a list whose items change.

use uuid::Uuid;

/// The items of a list as they were at one look, each by its id and the position of its last change. Not the latest
/// position alone: positions are drawn before a commit, so changes that are made at the same time may be seen in another
/// order than that of their positions, and what comes late would be taken for seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// By id.
    items: Vec<(Uuid, i64)>,
    /// Where the look ended; `None`: nothing was left out.
    end: Option<i64>,
}

impl Seen {
    /// What a look found that looks at the latest `most` items.
    pub fn of(items: impl IntoIterator<Item = (Uuid, i64)>, most: usize) -> Self {
        let mut items: Vec<_> = items.into_iter().collect();
        items.sort_unstable();
        let last = items.iter().map(|(_, position)| *position).min();
        Self { end: last.filter(|_| items.len() >= most), items }
    }

    fn position(&self, id: Uuid) -> Option<i64> {
        self.items.binary_search_by_key(&id, |(id, _)| *id).ok().map(|at| self.items[at].1)
    }

    /// True when the item was seen as it is, or stood behind what was looked at.
    pub fn holds(&self, id: Uuid, position: i64) -> bool {
        self.position(id) == Some(position) || self.end.is_some_and(|end| position < end)
    }

    /// True when something of it is gone at a later look. Where that was too short to tell, nothing is.
    pub fn has_lost(&self, later: &Self) -> bool {
        later.end.is_none() && self.items.iter().any(|(id, _)| later.position(*id).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(items: &[(u128, i64)], most: usize) -> Seen {
        Seen::of(items.iter().map(|(id, position)| (Uuid::from_u128(*id), *position)), most)
    }

    #[test]
    fn what_changed_is_told_from_what_was_seen_whatever_its_position() {
        let before = seen(&[(7, 9), (3, 5)], 10);
        assert!(before.holds(Uuid::from_u128(3), 5) && before.holds(Uuid::from_u128(7), 9));
        assert!(!before.holds(Uuid::from_u128(3), 6), "changed");
        assert!(!before.holds(Uuid::from_u128(4), 4), "came late, behind what was seen");
    }

    #[test]
    fn what_comes_up_from_behind_the_end_of_a_look_is_no_change() {
        let before = seen(&[(7, 9), (3, 5)], 2);
        assert!(before.holds(Uuid::from_u128(1), 4));
        assert!(!before.holds(Uuid::from_u128(1), 6), "changed since");
    }

    #[test]
    fn what_is_gone_is_noticed_where_nothing_was_left_out() {
        let before = seen(&[(1, 1), (2, 2)], 10);
        assert!(before.has_lost(&seen(&[(2, 2)], 10)));
        assert!(!before.has_lost(&seen(&[(2, 3), (1, 1), (5, 4)], 10)));
        assert!(!before.has_lost(&seen(&[(5, 4), (2, 3)], 2)), "the other may stand behind them");
    }
}
