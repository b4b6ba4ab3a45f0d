//! How much of a list one answer takes: its entries have limits, and so have their bytes.

use prost::Message;
use prost::encoding::message::encoded_len;

/// Most bytes, encoded, of the lists in one answer. Clients take messages of 4 MiB, what is beside the lists included:
/// a larger one is one nobody can read.
pub const ANSWER_BYTES: usize = 2 * 1024 * 1024;

/// The bytes that are left in an answer. A page ends early rather than go over it; the rest is behind its token.
#[derive(Debug)]
pub struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(ANSWER_BYTES)
    }
}

impl Room {
    /// What is taken by `message`, which is in the answer in any case.
    #[must_use]
    pub fn beside(self, message: &impl Message) -> Self {
        Self(self.0.saturating_sub(message.encoded_len()))
    }

    /// A page of messages, each with where it stands in its list: at most `size` of them and as many as there is room
    /// for, the first in any case, or nobody would ever come past it. No more are made than are needed. With it, where
    /// some are left, where the last of the page stands: for the token of the next (AIP-158).
    pub fn page<C, M: Message>(
        &mut self,
        found: impl IntoIterator<Item = (C, M)>,
        size: u32,
    ) -> (Vec<M>, Option<C>) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let (mut page, mut last) = (Vec::new(), None);
        for (at, message) in found {
            // With its tag and length.
            let bytes = encoded_len(1, &message);
            if page.len() >= size || (!page.is_empty() && bytes > self.0) {
                return (page, last);
            }
            self.0 = self.0.saturating_sub(bytes);
            page.push(message);
            last = Some(at);
        }
        (page, None)
    }

    /// The page of the first of so many lists that are yet to come: it gets its share of what is left, and what it does
    /// not need is there for the next.
    pub fn page_of<C, M: Message>(
        &mut self,
        lists: usize,
        found: impl IntoIterator<Item = (C, M)>,
        size: u32,
    ) -> (Vec<M>, Option<C>) {
        let share = self.0 / lists.max(1);
        let mut own = Self(share);
        let page = own.page(found, size);
        self.0 -= share - own.0;
        page
    }
}

/// The page of an answer that holds nothing else of size; see [`Room::page`].
pub fn page<C, M: Message>(found: impl IntoIterator<Item = (C, M)>, size: u32) -> (Vec<M>, Option<C>) {
    Room::default().page(found, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Together with its tag and its lengths exactly 1 KiB.
    fn kibibyte() -> String {
        "x".repeat(1024 - 6)
    }

    fn many(count: usize) -> impl Iterator<Item = (usize, String)> {
        (1..=count).map(|at| (at, kibibyte()))
    }

    #[test]
    fn aip_158_a_page_ends_at_its_size_or_at_its_bytes() {
        let of = |count, size| {
            let (page, next) = page(many(count), size);
            assert!(page.iter().map(|entry| encoded_len(1, entry)).sum::<usize>() <= ANSWER_BYTES);
            (page.len(), next)
        };
        assert_eq!(of(0, 5), (0, None));
        assert_eq!(of(3, 3), (3, None));
        assert_eq!(of(4, 3), (3, Some(3)));
        assert_eq!(of(2048, 5000), (2048, None));
        assert_eq!(of(2049, 5000), (2048, Some(2048)));
    }

    #[test]
    fn what_is_larger_than_a_page_is_alone_on_its_own() {
        let large = || "x".repeat(ANSWER_BYTES + 1);
        let (first, next) = page([(1, large()), (2, kibibyte())], 10);
        assert_eq!((first.len(), next), (1, Some(1)));
        let (before, next) = page([(1, kibibyte()), (2, large())], 10);
        assert_eq!((before.len(), next), (1, Some(1)));
    }

    #[test]
    fn lists_of_one_answer_share_its_room_and_leave_each_other_what_they_do_not_need() {
        let mut room = Room::default().beside(&"x".repeat(512 * 1024 - 4));
        let (first, _) = room.page_of(3, many(5000), 5000);
        let (second, _) = room.page_of(2, many(2), 5000);
        let (third, next) = room.page(many(5000), 5000);
        assert_eq!((first.len(), second.len(), third.len(), next), (512, 2, 1022, Some(1022)));
    }
}
