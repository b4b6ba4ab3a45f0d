//! Who has a window open in another process, as far as this one knows (N-2).
//!
//! Each process tells the others of every change and numbers them, and tells its number now and then. Whoever missed one
//! asks for the whole list. What is not known for sure counts as a window that may be open: then it is asked, and waited for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// How often a process tells that it is there.
pub const BEAT: Duration = Duration::from_secs(2);
/// A process that was not heard for so long is gone, and its windows with it.
const GONE: Duration = Duration::from_secs(10);
/// Whoever does not hear itself for so long hears nobody.
const DEAF: Duration = Duration::from_secs(5);
/// After so long every process that is there was heard.
const SETTLED: Duration = Duration::from_secs(5);
/// Changes that wait for the ones before them; beyond it the list is asked for.
const WAITING: usize = 1000;

/// What is known of the windows of other processes.
#[derive(Debug)]
pub struct Presence<K> {
    since: Option<Instant>,
    /// When this process heard itself last: then it hears others, too.
    heard: Option<Instant>,
    processes: HashMap<Uuid, Process<K>>,
}

#[derive(Debug)]
struct Process<K> {
    heard: Instant,
    /// `None`: the list is not known.
    known: Option<Known<K>>,
    /// Changes that came before the ones before them.
    waiting: BTreeMap<u64, (K, bool)>,
    /// A list that is coming in, of this version.
    coming: Option<(u64, HashSet<K>)>,
}

#[derive(Debug)]
struct Known<K> {
    version: u64,
    people: HashSet<K>,
}

impl<K> Default for Presence<K> {
    fn default() -> Self {
        Self { since: None, heard: None, processes: HashMap::new() }
    }
}

impl<K: Eq + Hash> Presence<K> {
    /// Whispers are heard from now on; what was missed before is not known.
    pub fn listens(&mut self, now: Instant) {
        self.since = Some(now);
        self.heard = Some(now);
    }

    /// What this process told came back to it. After a pause it may have missed what others told, too.
    pub fn hears_itself(&mut self, now: Instant) {
        if self.heard.is_none_or(|heard| now - heard > DEAF) {
            self.since = Some(now);
        }
        self.heard = Some(now);
    }

    fn process(&mut self, id: Uuid, now: Instant) -> &mut Process<K> {
        self.processes.retain(|_, process| now - process.heard < GONE);
        let process = self.processes.entry(id).or_insert_with(|| Process {
            heard: now,
            known: None,
            waiting: BTreeMap::new(),
            coming: None,
        });
        process.heard = now;
        process
    }

    /// A process is there, after so many changes. True: its list is to be asked for.
    #[must_use]
    pub fn beats(&mut self, id: Uuid, version: u64, now: Instant) -> bool {
        let process = self.process(id, now);
        let is_known = process.known.as_ref().is_some_and(|known| known.version == version);
        if !is_known {
            process.known = None;
        }
        !is_known
    }

    /// Somebody's first window in a process opened, or the last one closed: its change of this number.
    pub fn changed(&mut self, id: Uuid, version: u64, key: K, is_open: bool, now: Instant) {
        let process = self.process(id, now);
        if process.waiting.len() < WAITING {
            process.waiting.insert(version, (key, is_open));
        }
        process.catch_up();
    }

    /// A part of a process' list, after so many changes.
    pub fn listed(&mut self, id: Uuid, version: u64, part: Part<K>, now: Instant) {
        let process = self.process(id, now);
        let mut people = match process.coming.take() {
            Some((of, people)) if of == version && !part.is_first => people,
            _ if part.is_first => HashSet::new(),
            // The beginning was missed.
            _ => return,
        };
        people.extend(part.people);
        if !part.is_last {
            process.coming = Some((version, people));
            return;
        }
        if people.len() != part.total {
            // A part was missed: with the next beat the list is asked for again.
            process.known = None;
            return;
        }
        process.known = Some(Known { version, people });
        process.catch_up();
    }

    /// Whether another process may have a window of this person.
    pub fn may_be_open(&self, key: &K, now: Instant) -> bool {
        let is_deaf = self.heard.is_none_or(|heard| now - heard > DEAF);
        if is_deaf || self.since.is_none_or(|since| now - since < SETTLED) {
            return true;
        }
        self.processes
            .values()
            .filter(|process| now - process.heard < GONE)
            .any(|process| process.known.as_ref().is_none_or(|known| known.people.contains(key)))
    }
}

impl<K: Eq + Hash> Process<K> {
    fn catch_up(&mut self) {
        let Some(known) = &mut self.known else { return };
        self.waiting.retain(|version, _| *version > known.version);
        while let Some((key, is_open)) = self.waiting.remove(&(known.version + 1)) {
            known.version += 1;
            if is_open {
                known.people.insert(key);
            } else {
                known.people.remove(&key);
            }
        }
    }
}

/// A part of a list.
#[derive(Debug)]
pub struct Part<K> {
    /// The list begins with it.
    pub is_first: bool,
    /// The list ends with it.
    pub is_last: bool,
    /// How many the whole list has.
    pub total: usize,
    /// Those who have a window.
    pub people: Vec<K>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: Uuid = Uuid::from_u128(7);

    fn whole(people: &[&'static str]) -> Part<&'static str> {
        Part { is_first: true, is_last: true, total: people.len(), people: people.to_vec() }
    }

    /// Settled, and another process is known with nobody.
    fn settled() -> (Presence<&'static str>, Instant) {
        let mut presence = Presence::default();
        let start = Instant::now();
        presence.listens(start);
        let now = start + SETTLED;
        presence.hears_itself(now);
        assert!(presence.beats(OTHER, 0, now), "its list is asked for");
        assert!(presence.may_be_open(&"ada", now), "until it comes");
        presence.listed(OTHER, 0, whole(&[]), now);
        assert!(!presence.may_be_open(&"ada", now));
        (presence, now)
    }

    #[tokio::test]
    async fn before_everybody_was_heard_any_window_may_be_open() {
        let mut presence = Presence::<&str>::default();
        let now = Instant::now();
        assert!(presence.may_be_open(&"ada", now), "nothing is heard");
        presence.listens(now);
        assert!(presence.may_be_open(&"ada", now + SETTLED - Duration::from_millis(1)));
        presence.hears_itself(now + SETTLED);
        assert!(!presence.may_be_open(&"ada", now + SETTLED), "there is no other process");
    }

    #[tokio::test]
    async fn changes_are_followed_in_whatever_order_they_come() {
        let (mut presence, now) = settled();
        presence.changed(OTHER, 2, "ada", false, now);
        presence.changed(OTHER, 3, "eve", true, now);
        assert!(!presence.may_be_open(&"eve", now), "what comes before it is missing");
        presence.changed(OTHER, 1, "ada", true, now);
        assert!(!presence.may_be_open(&"ada", now) && presence.may_be_open(&"eve", now));
        assert!(!presence.beats(OTHER, 3, now), "nothing is missing");
    }

    #[tokio::test]
    async fn whoever_missed_a_change_asks_and_takes_no_window_for_closed_meanwhile() {
        let (mut presence, now) = settled();
        presence.changed(OTHER, 2, "eve", true, now);
        assert!(presence.beats(OTHER, 2, now));
        assert!(presence.may_be_open(&"ada", now));
        presence.listed(
            OTHER,
            2,
            Part { is_first: true, is_last: false, total: 2, people: vec!["ada"] },
            now,
        );
        presence.changed(OTHER, 3, "ada", false, now);
        presence.listed(
            OTHER,
            2,
            Part { is_first: false, is_last: true, total: 2, people: vec!["eve"] },
            now,
        );
        assert!(!presence.may_be_open(&"ada", now) && presence.may_be_open(&"eve", now));
    }

    #[tokio::test]
    async fn a_list_of_which_a_part_was_missed_is_none() {
        let (mut presence, now) = settled();
        assert!(presence.beats(OTHER, 5, now));
        presence.listed(
            OTHER,
            5,
            Part { is_first: false, is_last: true, total: 1, people: vec!["eve"] },
            now,
        );
        assert!(presence.may_be_open(&"ada", now), "the beginning");
        presence.listed(
            OTHER,
            5,
            Part { is_first: true, is_last: false, total: 3, people: vec!["eve"] },
            now,
        );
        presence.listed(
            OTHER,
            5,
            Part { is_first: false, is_last: true, total: 3, people: vec!["bob"] },
            now,
        );
        assert!(presence.may_be_open(&"ada", now), "the middle");
        assert!(presence.beats(OTHER, 5, now), "it is asked for again");
    }

    #[tokio::test]
    async fn who_was_deaf_takes_no_window_for_closed_before_everybody_was_heard_again() {
        let (mut presence, now) = settled();
        let later = now + GONE;
        presence.hears_itself(later);
        assert!(presence.may_be_open(&"ada", later));
        assert!(!presence.may_be_open(&"ada", later + SETTLED), "who was not heard since is gone");
    }

    #[tokio::test]
    async fn a_process_that_is_not_heard_any_more_has_no_windows() {
        let (mut presence, now) = settled();
        presence.changed(OTHER, 1, "ada", true, now);
        presence.hears_itself(now + DEAF);
        presence.hears_itself(now + GONE);
        assert!(presence.may_be_open(&"ada", now + GONE - Duration::from_millis(1)));
        assert!(!presence.may_be_open(&"ada", now + GONE));
    }
}
