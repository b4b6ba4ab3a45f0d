//! What stays of calls: recordings and screenshots (V-8).
//!
//! Who may bring which is decided here, by what happened in the call, and not by the page that brings it: a recording only
//! by whom Callboard let record, which it does while both sides consent.

use callboard_kernel::{Actor, DecisionContext, FieldViolation, Principal, Timestamp};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::decide::Decided;
use super::{SessionContent, SessionEvent, SessionRejection};
use crate::{FileId, MAX_FILES};

/// How long after a recording, or a call, its files are still taken: 50 MiB over a slow line.
const TAKEN_FOR: TimeDelta = TimeDelta::hours(1);
/// Of how many people is remembered when they recorded last.
const MAX_RECORDERS: usize = 20;

/// What a file of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FileKind {
    /// Video.
    Recording,
    /// A picture.
    Screenshot,
}

/// A file of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFile {
    /// Which.
    pub id: FileId,
    /// What it is.
    pub kind: FileKind,
    /// In which call it was made: 1, 2, 3 …
    pub call: i32,
}

/// Somebody whom Callboard let record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorder {
    /// Who.
    pub who: Actor,
    /// Until when; `None`: they still do.
    pub until: Option<Timestamp>,
}

/// What stays of a session's calls, and of whom it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// Recordings and screenshots, oldest first.
    pub files: Vec<SessionFile>,
    /// Who recorded, each once, the latest last.
    pub recorders: Vec<Recorder>,
    /// Who was in the last call when it ended.
    pub callers: Vec<Actor>,
}

impl Kept {
    /// A recording begins.
    pub(super) fn begin(&mut self, who: Actor) {
        self.recorders.retain(|recorder| recorder.who != who);
        if self.recorders.len() == MAX_RECORDERS {
            self.recorders.remove(0);
        }
        self.recorders.push(Recorder { who, until: None });
    }

    /// No recording runs any more.
    pub(super) fn stop(&mut self, at: Timestamp) {
        for recorder in &mut self.recorders {
            recorder.until.get_or_insert(at);
        }
    }
}

impl SessionContent {
    /// Whether somebody may bring a file of this kind now: a recording who recorded, a screenshot who is in the call; and
    /// for an hour after.
    pub fn takes(&self, kind: FileKind, who: Actor, now: Timestamp) -> bool {
        match kind {
            FileKind::Recording => self.kept.recorders.iter().any(|recorder| {
                recorder.who == who && recorder.until.is_none_or(|until| now <= until + TAKEN_FOR)
            }),
            FileKind::Screenshot => {
                let is_in_call =
                    self.call.as_ref().is_some_and(|call| call.parties().any(|of| of.who == who));
                let just_was = self.ended_at.is_some_and(|ended| now <= ended + TAKEN_FOR);
                is_in_call || just_was && self.kept.callers.contains(&who)
            }
        }
    }
}

pub(super) fn add(
    session: &SessionContent,
    file: FileId,
    kind: FileKind,
    context: &DecisionContext<'_>,
) -> Decided {
    if session.kept.files.iter().any(|known| known.id == file) {
        return Ok(Vec::new());
    }
    if !session.takes(kind, context.actor(), context.now) {
        return Err(match kind {
            FileKind::Recording => SessionRejection::NotRecorded,
            FileKind::Screenshot => SessionRejection::NoCall,
        });
    }
    if session.kept.files.len() >= MAX_FILES {
        let violation = FieldViolation::new("attachment_id", "a session has at most 100 files");
        return Err(SessionRejection::Invalid(vec![violation]));
    }
    let file = SessionFile { id: file, kind, call: session.calls };
    Ok(vec![SessionEvent::FileAdded { file, at: context.now }])
}

/// For good, hence for those who may delete a ticket.
pub(super) fn remove(
    session: &SessionContent,
    file: FileId,
    principal: &Principal,
    at: Timestamp,
) -> Decided {
    if !principal.is_moderator() {
        return Err(SessionRejection::Denied("files are removed by moderators and administrators"));
    }
    let is_there = session.kept.files.iter().any(|known| known.id == file);
    Ok(if is_there { vec![SessionEvent::FileRemoved { file, at }] } else { Vec::new() })
}
