//! Two bounded lanes into one actor.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Lane;

/// What waits for one actor, by lane, and how much of it the actor has in hand.
///
/// Many push (under the registry's lock), one takes. A taken message counts as in hand until [`Mailbox::done`], so
/// that [`Mailbox::is_idle`] under the registry's lock means: nothing waits, nothing is being done, nothing can come.
pub(crate) struct Mailbox<T> {
    lanes: Mutex<Lanes<T>>,
    changed: Notify,
}

struct Lanes<T> {
    user: VecDeque<T>,
    event: VecDeque<T>,
    in_hand: usize,
    draining: bool,
    closed: bool,
    /// Whose turn it is to begin, so that a limit of one is fair too.
    event_first: bool,
}

/// What a look into the mailbox gave.
pub(crate) enum Taken<T> {
    /// Messages, in order within each lane.
    Some(Vec<T>),
    /// Nothing waits.
    Nothing,
    /// Nothing waits and nothing will come, since the registry stops: leave.
    Drained,
    /// Nothing waits and nothing will come: the actor is no longer registered.
    Closed,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Self {
        Self {
            lanes: Mutex::new(Lanes {
                user: VecDeque::new(),
                event: VecDeque::new(),
                in_hand: 0,
                draining: false,
                closed: false,
                event_first: false,
            }),
            changed: Notify::new(),
        }
    }

    /// Puts a message in its lane and answers how many waited there before.
    ///
    /// # Errors
    /// Gives nothing back when the lane holds `limit` already.
    pub(crate) fn push(&self, lane: Lane, message: T, limit: usize) -> Result<usize, ()> {
        let mut lanes = self.lanes.lock();
        let queue = match lane {
            Lane::User => &mut lanes.user,
            Lane::Event => &mut lanes.event,
        };
        let depth = queue.len();
        if depth >= limit {
            return Err(());
        }
        queue.push_back(message);
        drop(lanes);
        self.changed.notify_one();
        Ok(depth)
    }

    /// Takes at most `limit` messages, from the lanes in turn, so that neither waits for the other to run dry.
    pub(crate) fn take(&self, limit: usize) -> Taken<T> {
        let mut guard = self.lanes.lock();
        let lanes = &mut *guard;
        let waiting = lanes.user.len() + lanes.event.len();
        if waiting == 0 {
            return match (lanes.closed, lanes.draining) {
                (true, _) => Taken::Closed,
                (false, true) => Taken::Drained,
                (false, false) => Taken::Nothing,
            };
        }
        let mut taken = Vec::with_capacity(waiting.min(limit));
        while taken.len() < waiting.min(limit) {
            let queue = if lanes.event_first { &mut lanes.event } else { &mut lanes.user };
            taken.extend(queue.pop_front());
            lanes.event_first = !lanes.event_first;
        }
        lanes.in_hand = taken.len();
        Taken::Some(taken)
    }

    /// What was taken is answered.
    pub(crate) fn done(&self) {
        self.lanes.lock().in_hand = 0;
    }

    /// Nothing waits and nothing is in hand.
    pub(crate) fn is_idle(&self) -> bool {
        let lanes = self.lanes.lock();
        lanes.in_hand == 0 && lanes.user.is_empty() && lanes.event.is_empty()
    }

    /// Nothing will come any more. Only under the registry's lock, when idle and unregistered.
    pub(crate) fn close(&self) {
        self.lanes.lock().closed = true;
        self.changed.notify_one();
    }

    /// The registry takes nothing more: what waits is the last.
    pub(crate) fn drain(&self) {
        self.lanes.lock().draining = true;
        self.changed.notify_one();
    }

    /// Returns after the next change, or at once if there was one since the last look.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(mailbox: &Mailbox<u32>, limit: usize) -> Vec<u32> {
        match mailbox.take(limit) {
            Taken::Some(messages) => messages,
            Taken::Nothing | Taken::Drained | Taken::Closed => Vec::new(),
        }
    }

    #[test]
    fn lanes_take_turns_and_keep_their_order() {
        let mailbox = Mailbox::new();
        for n in 0..6 {
            mailbox.push(Lane::User, n, 10).unwrap();
        }
        for n in 10..12 {
            mailbox.push(Lane::Event, n, 10).unwrap();
        }
        assert_eq!(taken(&mailbox, 3), [0, 10, 1]);
        assert_eq!(taken(&mailbox, 1), [11]);
        assert_eq!(taken(&mailbox, 5), [2, 3, 4, 5]);
    }

    #[test]
    fn a_full_lane_leaves_the_other_open() {
        let mailbox = Mailbox::new();
        assert_eq!(mailbox.push(Lane::Event, 1, 1), Ok(0));
        assert_eq!(mailbox.push(Lane::Event, 2, 1), Err(()));
        assert_eq!(mailbox.push(Lane::User, 3, 1), Ok(0));
    }

    #[test]
    fn what_is_in_hand_is_not_idle() {
        let mailbox = Mailbox::new();
        mailbox.push(Lane::User, 1, 1).unwrap();
        assert_eq!(taken(&mailbox, 1), [1]);
        assert!(!mailbox.is_idle());
        mailbox.done();
        assert!(mailbox.is_idle());
    }
}
