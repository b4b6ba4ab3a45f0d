//! The calendar and its feeds (K-5).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_kernel::{
    Actor, CustomerUser, Employee, ErrorKind, Language, OrganisationId, Principal, Refusal, Role, Subject,
    Timestamp, Version,
};
use callboard_proto::tasks::v1 as proto;
use callboard_proto::tasks::v1::calendar_service_server::CalendarService;
use callboard_service::Mutation;
use callboard_service::convert::to_proto_time;
use callboard_service::database::refusal;
use callboard_service::request::{self, parse_id};
use callboard_tasks_domain::feed::{FeedCommand, FeedContent, FeedScope, FeedState};
use chrono::TimeDelta;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::task_service::reply;
use super::{Fields, Reads};
use crate::store::{CalendarSpan, Viewer};
use crate::{Feeds, convert, icalendar};

/// The longest span, in days.
const MAX_DAYS: i64 = 366;
/// The span where no end is given, in days.
const DEFAULT_DAYS: i64 = 31;
/// The most entries of an answer.
const MAX_ENTRIES: usize = 1_000;
/// The most device events that are expanded for one answer.
const MAX_EVENTS: i64 = 1_000;
/// The most feeds of a person.
const MAX_FEEDS: usize = 10;
/// How far back a feed shows.
const FEED_BACK: TimeDelta = TimeDelta::days(30);
/// How far ahead.
const FEED_AHEAD: TimeDelta = TimeDelta::days(366);
/// How often one feed may be read on average; some more at once.
const FEED_PERIOD: Duration = Duration::from_secs(30);
/// How many readings at once.
const FEED_BURST: NonZeroU32 = NonZeroU32::new(10).expect("is not zero");

/// Serves `CalendarService`.
#[derive(Debug, Clone)]
pub struct CalendarApi {
    feeds: Feeds,
    reads: Reads,
    limits: Arc<DefaultKeyedRateLimiter<Uuid>>,
}

fn hash(token: &str) -> Vec<u8> {
    // The token is 256 random bits: a plain hash cannot be guessed back.
    Sha256::digest(token.as_bytes()).to_vec()
}

impl CalendarApi {
    /// A calendar over these tables.
    ///
    /// # Panics
    /// Never: the period of readings is not zero.
    pub fn new(feeds: Feeds, reads: Reads) -> Self {
        let quota = Quota::with_period(FEED_PERIOD).unwrap_or(Quota::per_minute(FEED_BURST));
        let limits = Arc::new(RateLimiter::keyed(quota.allow_burst(FEED_BURST)));
        Self { feeds, reads, limits }
    }

    async fn calendar(
        &self,
        request: &Request<proto::GetCalendarRequest>,
    ) -> Result<proto::GetCalendarResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let mut fields = Fields::default();
        let from = fields.time("from", message.from.as_ref()).unwrap_or_else(|| self.reads.clock.now());
        let to = fields.time("to", message.to.as_ref());
        let to = to.or_else(|| from.checked_add_signed(TimeDelta::days(DEFAULT_DAYS))).unwrap_or(from);
        if !(from < to && to - from <= TimeDelta::days(MAX_DAYS)) {
            fields.refuse("to", "behind `from`, by at most 366 days");
        }
        let devices = fields.ids("device_ids", &message.device_ids, 100);
        let own = principal.employee().map(|employee| employee.id);
        if message.mine && own.is_none() {
            fields.refuse("mine", "who is assigned is for employees");
        }
        fields.finish()?;
        let span = CalendarSpan { from, to, devices, assignee: own.filter(|_| message.mine) };
        let viewer = self.reads.viewer(&principal).await?;
        let (entries, truncated) = self.entries(&viewer, &span).await?;
        Ok(proto::GetCalendarResponse { entries, truncated })
    }

    /// What lies in a span, in order, and whether there is more.
    async fn entries(
        &self,
        viewer: &Viewer,
        span: &CalendarSpan,
    ) -> Result<(Vec<proto::CalendarEntry>, bool), Refusal> {
        let limit = i64::try_from(MAX_ENTRIES).unwrap_or(i64::MAX) + 1;
        let queries = &self.reads.queries;
        let tasks = queries.tasks_in(viewer, span, limit).await.map_err(refusal)?;
        let events = queries.events_in(viewer, span, MAX_EVENTS + 1).await.map_err(refusal)?;
        let mut truncated = i64::try_from(events.len()).is_ok_and(|count| count > MAX_EVENTS);
        let mut entries: Vec<(Timestamp, proto::CalendarEntry)> = Vec::new();
        for stored in &events {
            let Some(planned) = stored.state.planned.as_deref() else { continue };
            // What has fallen due and made a task is shown as that task; what passed in a downtime made none (K-3).
            let from = match planned.next {
                Some(next) if planned.plan.creates_task => span.from.max(next.at),
                None if planned.plan.creates_task => continue,
                Some(_) | None => span.from,
            };
            let anchor = planned.next.map(|next| next.local);
            let occurrences = planned.schedule().between(from, span.to, anchor, MAX_ENTRIES + 1);
            // Nor is what passed before the event was planned.
            let since = planned.created_at;
            entries.extend(occurrences.iter().filter(|occurrence| occurrence.at > since).map(|occurrence| {
                let entry = proto::CalendarEntry {
                    time: Some(to_proto_time(occurrence.at)),
                    title: planned.plan.title.clone(),
                    device_id: planned.plan.device.to_string(),
                    device_event_id: stored.id.to_string(),
                    visibility: convert::visibility(planned.plan.visibility).into(),
                    creates_task: planned.plan.creates_task,
                    time_zone: planned.time_zone.clone(),
                    assignee_ids: shown(viewer, &planned.plan.assignees),
                    ..proto::CalendarEntry::default()
                };
                (occurrence.at, entry)
            }));
        }
        for found in &tasks {
            let Some(task) = found.stored.state.task.as_deref() else { continue };
            let Some(due) = task.due else { continue };
            let entry = proto::CalendarEntry {
                time: Some(to_proto_time(due)),
                title: task.title.clone(),
                device_id: task.device.to_string(),
                device_event_id: convert::optional_id(task.event),
                task_id: found.stored.id.to_string(),
                status: convert::status(task.status).into(),
                visibility: convert::visibility(task.visibility).into(),
                assignee_ids: shown(viewer, &task.assignees),
                ..proto::CalendarEntry::default()
            };
            entries.push((due, entry));
        }
        entries.sort_by(|(one_at, one), (two_at, two)| {
            (one_at, &one.device_event_id, &one.task_id).cmp(&(two_at, &two.device_event_id, &two.task_id))
        });
        truncated |= entries.len() > MAX_ENTRIES;
        entries.truncate(MAX_ENTRIES);
        Ok((entries.into_iter().map(|(_, entry)| entry).collect(), truncated))
    }

    async fn list(
        &self,
        request: &Request<proto::ListFeedsRequest>,
    ) -> Result<proto::ListFeedsResponse, Refusal> {
        let principal = request::principal(request)?;
        owners(&principal)?;
        let found =
            self.reads.queries.feeds(principal.organisation, principal.actor()).await.map_err(refusal)?;
        let feeds =
            found.iter().filter_map(|found| convert::feed(found.id, &found.state, found.version)).collect();
        Ok(proto::ListFeedsResponse { feeds })
    }

    async fn create(
        &self,
        request: &Request<proto::CreateFeedRequest>,
    ) -> Result<proto::CreateFeedResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "CreateFeed", &message.request_id)?.creating();
        let scope = match proto::FeedScope::try_from(message.scope) {
            Ok(proto::FeedScope::Unspecified) => FeedScope::All,
            Ok(proto::FeedScope::Mine) => FeedScope::Mine,
            Err(_) => return Err(Refusal::field("scope", "must be a known scope")),
        };
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let token_hash = hash(&token);
        let id = mutation.command_id.uuid();
        let prepared = async {
            let principal = &mutation.principal;
            owners(principal)?;
            let known =
                self.reads.queries.feeds(principal.organisation, principal.actor()).await.map_err(refusal)?;
            if known.len() >= MAX_FEEDS {
                return Err(Refusal::new(
                    ErrorKind::FailedPrecondition,
                    "TOO_MANY_FEEDS",
                    "one person has at most ten feeds: end one first",
                ));
            }
            let name = message.name.trim().to_owned();
            Ok((id, FeedCommand::Create { name, scope, token_hash: token_hash.clone() }))
        };
        // What is kept of the answer holds the hash, which is kept anyway; the token goes only to who is waiting now.
        let answer = move |state: &FeedState, _: &[_], version: Version| proto::CreateFeedResponse {
            feed: convert::feed(id, state, version),
            token: state
                .content
                .as_ref()
                .map(|content| URL_SAFE_NO_PAD.encode(&content.token_hash))
                .unwrap_or_default(),
        };
        let kept = mutation.carry_out(&self.feeds, prepared, answer).await?;
        let is_ours = kept.token == URL_SAFE_NO_PAD.encode(&token_hash);
        Ok(proto::CreateFeedResponse { token: if is_ours { token } else { String::new() }, ..kept })
    }

    async fn end(
        &self,
        request: &Request<proto::DeleteFeedRequest>,
    ) -> Result<proto::DeleteFeedResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "DeleteFeed", &message.request_id)?;
        let id: Uuid = parse_id("feed_id", &message.feed_id)?;
        let mutation = mutation.about("feed", id);
        let prepared = async {
            owners(&mutation.principal)?;
            Ok((id, FeedCommand::End))
        };
        mutation.carry_out(&self.feeds, prepared, |_, _, _| proto::DeleteFeedResponse {}).await
    }

    /// The calendar of whoever holds the token, as its owner sees it now.
    async fn read(
        &self,
        request: &Request<proto::ReadFeedRequest>,
    ) -> Result<proto::ReadFeedResponse, Refusal> {
        let token = &request.get_ref().token;
        let unknown = || Refusal::not_found("feed");
        if token.is_empty() || token.len() > 100 {
            return Err(unknown());
        }
        let found = self.reads.queries.feed(&hash(token)).await.map_err(refusal)?;
        let Some((organisation, stored)) = found else { return Err(unknown()) };
        let Some(content) = stored.state.content else { return Err(unknown()) };
        if self.limits.check_key(&stored.id).is_err() {
            return Err(Refusal::new(
                ErrorKind::ResourceExhausted,
                "FEED_READ_TOO_OFTEN",
                "a feed is read at most twice a minute on average",
            ));
        }
        let Some(owner) = self.owner(organisation, &content).await? else { return Err(unknown()) };
        let now = self.reads.clock.now();
        let assignee = match (&owner.subject, content.scope) {
            (Subject::Employee(employee), FeedScope::Mine) => Some(employee.id),
            _ => None,
        };
        let span =
            CalendarSpan { from: now - FEED_BACK, to: now + FEED_AHEAD, devices: Vec::new(), assignee };
        let viewer = self.reads.viewer(&owner).await?;
        let (entries, _) = self.entries(&viewer, &span).await?;
        Ok(proto::ReadFeedResponse { icalendar: icalendar::render(&content.name, &entries, now) })
    }

    /// The owner as the directory knows them now; `None`: left, or went to another company. A feed ends when that is heard;
    /// one that was made at that very moment does not, and is judged here.
    async fn owner(
        &self,
        organisation: OrganisationId,
        content: &FeedContent,
    ) -> Result<Option<Principal>, Refusal> {
        let subject = match (content.owner, content.customer) {
            (Actor::Employee(id), _) => {
                let known = self.reads.copies.employees(organisation, &[id]).await.map_err(refusal)?;
                let Some((_, departments)) = known.into_iter().next() else { return Ok(None) };
                // Reading asks for no role.
                Subject::Employee(Employee { id, role: Role::Member, departments })
            }
            (Actor::CustomerUser(id), Some(customer)) => {
                let copies = &self.reads.copies;
                if !copies.may_be_of(organisation, id, customer).await.map_err(refusal)? {
                    return Ok(None);
                }
                Subject::CustomerUser(CustomerUser { id, customer })
            }
            (Actor::CustomerUser(_) | Actor::CodeUser(_) | Actor::System, _) => return Ok(None),
        };
        Ok(Some(Principal { organisation, subject, language: Language::En }))
    }
}

/// Who is assigned is no affair of those outside.
fn shown(viewer: &Viewer, assignees: &[callboard_kernel::EmployeeId]) -> Vec<String> {
    if viewer.is_outside() { Vec::new() } else { convert::ids(assignees) }
}

fn owners(principal: &Principal) -> Result<(), Refusal> {
    match principal.subject {
        Subject::Employee(_) | Subject::CustomerUser(_) => Ok(()),
        Subject::CodeUser(_) | Subject::System => {
            Err(Refusal::denied("feeds are for employees and customer users"))
        }
    }
}

#[tonic::async_trait]
impl CalendarService for CalendarApi {
    async fn get_calendar(
        &self,
        request: Request<proto::GetCalendarRequest>,
    ) -> Result<Response<proto::GetCalendarResponse>, Status> {
        reply(self.calendar(&request).await)
    }

    async fn list_feeds(
        &self,
        request: Request<proto::ListFeedsRequest>,
    ) -> Result<Response<proto::ListFeedsResponse>, Status> {
        reply(self.list(&request).await)
    }

    async fn create_feed(
        &self,
        request: Request<proto::CreateFeedRequest>,
    ) -> Result<Response<proto::CreateFeedResponse>, Status> {
        reply(self.create(&request).await)
    }

    async fn delete_feed(
        &self,
        request: Request<proto::DeleteFeedRequest>,
    ) -> Result<Response<proto::DeleteFeedResponse>, Status> {
        reply(self.end(&request).await)
    }

    async fn read_feed(
        &self,
        request: Request<proto::ReadFeedRequest>,
    ) -> Result<Response<proto::ReadFeedResponse>, Status> {
        reply(self.read(&request).await)
    }
}
