//! The drawer, live.
//!
//! What is told of an event here and now counts as taken when the connection has pulled it: a window that is gone pulls
//! nothing. What the drawer holds is read again on each change, so that nothing is missed and what was hidden is not
//! shown (T-13).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use callboard_auth::{AuthError, Verifier};
use callboard_kernel::{ErrorKind, Principal, Refusal};
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::watch_entries_response::Event;
use callboard_service::database::refusal;
use callboard_service::{Seen, request};
use futures::stream::{BoxStream, StreamExt, unfold};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};
use uuid::Uuid;

use super::{NotificationApi, reader, status};
use crate::render::Texts;
use crate::store::drawer::Filter;
use crate::window::{Signal, Window, Windows};
use crate::{Tables, convert};

/// How often the token is judged again.
const CHECK: Duration = Duration::from_secs(1);
/// Checks between two looks at a drawer that nobody said has changed: a whisper may be lost.
const LOOK: u32 = 15;
/// Entries that are looked at for what changed.
const LOOKED_AT: u32 = 100;

struct Watcher {
    window: Window,
    windows: Windows,
    tables: Tables,
    texts: Arc<Texts>,
    principal: Arc<Principal>,
    token: Option<String>,
    verifier: Arc<Verifier>,
    stop: CancellationToken,
    check: Interval,
    checks: u32,
    /// What was in the drawer.
    seen: Seen,
    /// How many were unread at the last look, and the latest position then; `None`: there was none.
    found: Option<(i64, i64)>,
    waiting: VecDeque<(Event, Option<Uuid>)>,
    ended: bool,
}

enum Woken {
    Signal(Signal),
    Check,
    Stop,
}

impl NotificationApi {
    pub(super) async fn watch(
        &self,
        request: &Request<proto::WatchEntriesRequest>,
    ) -> Result<BoxStream<'static, Result<proto::WatchEntriesResponse, Status>>, Refusal> {
        let principal = request::principal(request)?;
        let person = super::person(&principal)?;
        let window = self.windows.open(principal.organisation, person).ok_or_else(|| {
            Refusal::new(
                ErrorKind::ResourceExhausted,
                "TOO_MANY_STREAMS",
                "this person has too many streams open",
            )
        })?;
        let token = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.split_once(' ')).map(|(_, token)| token.to_owned());
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watcher = Watcher {
            window,
            windows: self.windows.clone(),
            tables: self.tables.clone(),
            texts: Arc::clone(&self.texts),
            principal,
            token,
            verifier: Arc::clone(&self.verifier),
            stop: self.stop.clone(),
            check,
            checks: 0,
            seen: Seen::default(),
            found: None,
            waiting: VecDeque::new(),
            ended: false,
        };
        watcher.look(true).await?;
        let stream = unfold(Box::new(watcher), |mut watcher| async move {
            let next = watcher.next().await?;
            Some((next.map_err(status), watcher))
        });
        Ok(stream.boxed())
    }
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<proto::WatchEntriesResponse, Refusal>> {
        loop {
            if self.ended {
                return None;
            }
            if let Some((event, told)) = self.waiting.pop_front() {
                if let Some(told) = told {
                    self.windows.taken(told).await;
                }
                return Some(Ok(proto::WatchEntriesResponse { event: Some(event) }));
            }
            let woken = tokio::select! {
                biased;
                () = self.stop.cancelled() => Woken::Stop,
                signal = self.window.signal() => signal.map_or(Woken::Stop, Woken::Signal),
                _ = self.check.tick() => Woken::Check,
            };
            let done = match woken {
                Woken::Signal(Signal::Changed) => self.look(true).await,
                Woken::Signal(Signal::Told { id, entry }) => self.told(id, entry).await,
                Woken::Check => self.check().await,
                Woken::Stop => Err(Refusal::new(
                    ErrorKind::Unavailable,
                    "STOPPING",
                    "this replica is stopping: come back to another",
                )),
            };
            if let Err(refusal) = done {
                self.ended = true;
                return Some(Err(refusal));
            }
        }
    }

    async fn check(&mut self) -> Result<(), Refusal> {
        if let Some(token) = &self.token {
            match self.verifier.verify(token).await {
                // Keys that cannot be fetched now take nobody's session away.
                Ok(_) | Err(AuthError::KeysUnavailable) => {}
                Err(error) => return Err(Refusal::from(&error)),
            }
        }
        self.checks += 1;
        if self.checks.is_multiple_of(LOOK) {
            self.look(false).await?;
            if self.waiting.is_empty() {
                self.waiting.push_back((Event::KeepAlive(proto::KeepAlive {}), None));
            }
        }
        Ok(())
    }

    /// What has changed in the drawer. Those that were there when the stream began are listed, not streamed. `is_told`:
    /// somebody said that something has; else the count tells whether it has.
    async fn look(&mut self, is_told: bool) -> Result<(), Refusal> {
        let reader = reader(&self.tables, &self.principal).await?;
        let drawers = &self.tables.drawers;
        let count = drawers.unread(&reader).await.map_err(refusal)?;
        if !is_told && self.found == Some(count) {
            return Ok(());
        }
        let entries = drawers.list(&reader, &Filter::default(), None, LOOKED_AT).await.map_err(refusal)?;
        let seen = Seen::of(entries.iter().map(|entry| (entry.id, entry.position)), LOOKED_AT as usize);
        let (unread, position) = count;
        // A position that is behind the one before: something is gone, as when the drawer was emptied elsewhere.
        let mut is_news = self.found.is_none_or(|(known, latest)| known != unread || position < latest);
        if self.found.is_some() {
            is_news |= self.seen.has_lost(&seen);
            for entry in entries.iter().rev().filter(|entry| !self.seen.holds(entry.id, entry.position)) {
                let shown = convert::entry(entry, reader.person, self.principal.language, &self.texts);
                self.waiting.push_back((Event::Entry(shown), None));
            }
        }
        (self.found, self.seen) = (Some(count), seen);
        if is_news {
            let unread = i32::try_from(unread).unwrap_or(i32::MAX);
            self.waiting.push_back((Event::UnreadCount(proto::UnreadCount { unread, position }), None));
        }
        Ok(())
    }

    async fn told(&mut self, id: Uuid, entry: Uuid) -> Result<(), Refusal> {
        let reader = reader(&self.tables, &self.principal).await?;
        // The drawer first: a window that shows it has the entry by then.
        self.look(true).await?;
        let found = self.tables.drawers.one(&reader, entry).await.map_err(refusal)?;
        if let Some(found) = found {
            let shown = convert::entry(&found, reader.person, self.principal.language, &self.texts);
            self.waiting.push_back((Event::Told(shown), Some(id)));
        }
        Ok(())
    }
}
