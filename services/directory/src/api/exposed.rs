//! Create, get, list, update, delete: once, for every kind of simple record.

use callboard_directory_domain::{Action, Command, Event, Facts, Kept, MAX_NAMES, Record, State};
use callboard_kernel::{FieldViolation, Principal, Refusal, Role, Subject, Version, derive_uuid};
use callboard_service::Mutation;
use callboard_service::request::{decode_page_token, encode_page_token, page_size, parse_id, principal};
use futures::future::BoxFuture;
use tonic::Request;
use uuid::Uuid;

use super::fields::Fields;
use super::refusal;
use crate::directory::{Directory, Records};
use crate::store::read::{self, ByName, Filter};
use crate::store::{ReadError, Stored, lookups};

/// Who may read a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Everyone of the organisation who may see the single one.
    Everyone,
    /// Employees.
    Employees,
    /// Moderators and administrators.
    Moderators,
}

impl Readers {
    fn admit(self, principal: &Principal) -> Result<(), Refusal> {
        let admitted = matches!(principal.subject, Subject::System)
            || match self {
                Self::Everyone => true,
                Self::Employees => principal.has_role(Role::Member),
                Self::Moderators => principal.is_moderator(),
            };
        if admitted { Ok(()) } else { Err(Refusal::denied("not for this caller")) }
    }
}

/// A kind of record with its message.
pub trait Exposed: Stored {
    /// Its message.
    type Message: prost::Message + Default + Send + Sync + 'static;
    /// Who may read it.
    const READERS: Readers;
    /// Fields that are set when it is made and never again.
    const FIXED: &'static [&'static str] = &[];

    /// Its actors.
    fn registry(directory: &Directory) -> &Records<Self>;

    /// Id and etag.
    fn address(message: &Self::Message) -> (&str, &str);

    /// Reads the fields that count; the others stay at their default.
    fn parse(message: &Self::Message, fields: &mut Fields) -> Self;

    /// The message of a record.
    fn message(kept: &Kept<Self>, version: Version) -> Self::Message;

    /// Refuses fields that name what is not there, or not for the caller's eyes.
    fn references<'a>(
        _directory: &'a Directory,
        _principal: &'a Principal,
        _id: Uuid,
        _value: &'a Self,
        _fields: &'a mut Fields,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }

    /// What narrows the kind to what the caller may see, where that hangs on other records.
    fn seen(_principal: &Principal) -> Option<Filter> {
        None
    }

    /// What the decision needs to know besides isolation.
    fn facts<'a>(
        _directory: &'a Directory,
        _principal: &'a Principal,
        _id: Uuid,
    ) -> BoxFuture<'a, Result<Facts, ReadError>> {
        Box::pin(async { Ok(Facts::default()) })
    }
}

async fn facts<E: Exposed>(directory: &Directory, principal: &Principal, id: Uuid) -> Result<Facts, Refusal> {
    let isolation = lookups::isolation(&directory.pool, principal.organisation).await?;
    Ok(Facts { isolation, ..E::facts(directory, principal, id).await? })
}

fn answer<E: Exposed>(state: &State<E>, _: &[Event<E>], version: Version) -> E::Message {
    state.kept().map(|kept| E::message(kept, version)).unwrap_or_default()
}

/// A change to a record, with what its decision needs to know.
async fn command<E: Exposed>(
    directory: &Directory,
    principal: &Principal,
    id: Uuid,
    action: Action<E>,
) -> Result<(Uuid, Command<E>), Refusal> {
    let facts = facts::<E>(directory, principal, id).await?;
    Ok((id, Command { id, action, facts }))
}

fn required<E: Exposed>(message: Option<&E::Message>) -> Result<&E::Message, Refusal> {
    message.ok_or_else(|| Refusal::fields(vec![FieldViolation::new(E::KIND, "is required")]))
}

/// Who may not do it at all is told before anything is looked at. `Err` is the answer then: that of the first time for
/// a repeat by somebody who might then (AIP-155).
async fn admit<E: Exposed, Q: prost::Message>(
    directory: &Directory,
    rpc: &str,
    request: &Request<Q>,
    request_id: &str,
) -> Result<Mutation, Result<E::Message, Refusal>> {
    let caller = principal(request).map_err(Err)?;
    let call = Mutation::new(request, rpc, request_id).map(|call| call.telling(refusal::of_ask));
    match (Record::<E>::authorise(&caller), call) {
        (Ok(()), Ok(call)) => Ok(call),
        (Ok(()), Err(refusal)) => Err(Err(refusal)),
        (Err(refused), Ok(call)) => Err(call.repeated(E::registry(directory), Refusal::from(&refused)).await),
        (Err(refused), Err(_)) => Err(Err(Refusal::from(&refused))),
    }
}

/// Creates a record; an id given by the caller is kept (AIP-133).
pub async fn create<E: Exposed, Q: prost::Message>(
    directory: &Directory,
    rpc: &str,
    request: &Request<Q>,
    request_id: &str,
    message: Option<&E::Message>,
) -> Result<E::Message, Refusal> {
    let call = match admit::<E, Q>(directory, rpc, request, request_id).await {
        Ok(call) => call,
        Err(answer) => return answer,
    };
    let message = required::<E>(message)?;
    // Made of the command, so that a repeat means the same record.
    let id = match E::address(message).0 {
        "" => derive_uuid(call.command_id.uuid(), &[E::KIND.as_bytes()]),
        id => parse_id(&format!("{}.id", E::KIND), id)?,
    };
    let mut fields = Fields::new(E::KIND, [E::FIELDS, E::FIXED].concat());
    let value = E::parse(message, &mut fields);
    fields.finish()?;
    let call = call.about(E::KIND, id).creating().telling(refusal::of_create);
    let prepared = async {
        E::references(directory, &call.principal, id, &value, &mut fields).await?;
        fields.finish()?;
        command::<E>(directory, &call.principal, id, Action::Create(value)).await
    };
    call.carry_out(E::registry(directory), prepared, answer::<E>).await
}

/// One record.
pub async fn get<E: Exposed, Q>(
    directory: &Directory,
    request: &Request<Q>,
    id: &str,
) -> Result<E::Message, Refusal> {
    let principal = principal(request)?;
    E::READERS.admit(&principal)?;
    let id = parse_id("id", id)?;
    let mut found = visible::<E>(directory, &principal, id).await?;
    if let (Some(_), Some(seen)) = (&found, E::seen(&principal)) {
        let own = [Filter::AnyOf("id", vec![id]), seen];
        let (pool, organisation) = (&directory.pool, principal.organisation);
        if read::list::<E>(pool, organisation, "", &own, None, 1).await?.is_empty() {
            found = None;
        }
    }
    found.map(|(kept, version)| E::message(&kept, version)).ok_or_else(|| Refusal::missing(E::KIND, id))
}

/// The record, if it is there and the caller may see it.
pub async fn visible<E: Stored>(
    directory: &Directory,
    principal: &Principal,
    id: Uuid,
) -> Result<Option<(Kept<E>, Version)>, ReadError> {
    let Some(found) = read::get::<E>(&directory.pool, principal.organisation, id).await? else {
        return Ok(None);
    };
    let isolation = lookups::isolation(&directory.pool, principal.organisation).await?;
    let seen = found.value.value.visible(id, principal, isolation);
    Ok(seen.then_some((found.value, found.version)))
}

/// What a list request says.
pub struct Page<'a> {
    /// As asked.
    pub page_size: i32,
    /// As asked.
    pub page_token: &'a str,
    /// Words of the name.
    pub query: &'a str,
    /// What narrows it; with those that narrow it to what the caller may see.
    pub filters: Vec<Filter>,
    /// Hash of the other arguments.
    pub arguments: i64,
}

/// Words to search for.
///
/// # Errors
/// Names `query` when it is too long, or holds what no name does (Postgres takes no NUL).
pub fn check_query(query: &str) -> Result<(), Refusal> {
    if query.chars().count() > MAX_NAMES || query.chars().any(char::is_control) {
        return Err(Refusal::field("query", "at most 200 characters, no control characters"));
    }
    Ok(())
}

/// A page of records by name, and the next page's token.
pub async fn list<E: Exposed, Q>(
    directory: &Directory,
    request: &Request<Q>,
    page: Page<'_>,
) -> Result<(Vec<E::Message>, String), Refusal> {
    let principal = principal(request)?;
    E::READERS.admit(&principal)?;
    check_query(page.query)?;
    let now = directory.clock.now();
    let size = page_size(page.page_size, 50, 200)?;
    let after: Option<ByName> = decode_page_token(page.page_token, page.arguments, now)?;
    let limit = i64::from(size) + 1;
    let organisation = principal.organisation;
    let mut found =
        read::list::<E>(&directory.pool, organisation, page.query, &page.filters, after, limit).await?;
    let more = found.len() > size as usize;
    found.truncate(size as usize);
    let next = match found.last() {
        Some(last) if more => {
            let cursor: ByName = (last.value.value.names().to_lowercase(), last.value.id);
            encode_page_token(&cursor, page.arguments, now)
        }
        _ => String::new(),
    };
    Ok((found.iter().map(|found| E::message(&found.value, found.version)).collect(), next))
}

/// Edits the fields in the mask (AIP-134).
pub async fn update<E: Exposed, Q: prost::Message>(
    directory: &Directory,
    rpc: &str,
    request: &Request<Q>,
    request_id: &str,
    message: Option<&E::Message>,
    mask: Option<&prost_types::FieldMask>,
) -> Result<E::Message, Refusal> {
    let call = match admit::<E, Q>(directory, rpc, request, request_id).await {
        Ok(call) => call,
        Err(answer) => return answer,
    };
    let message = required::<E>(message)?;
    let (id, etag) = E::address(message);
    // There is one organisation to a caller; it need not be named.
    let id = if E::KIND == "organisation" && id.is_empty() {
        call.principal.organisation.uuid()
    } else {
        parse_id(&format!("{}.id", E::KIND), id)?
    };
    let call = call.about(E::KIND, id).expecting(&format!("{}.etag", E::KIND), etag)?;
    let mut fields = Fields::of_mask(E::KIND, mask, E::FIELDS)?;
    let value = E::parse(message, &mut fields);
    fields.finish()?;
    let prepared = async {
        if visible::<E>(directory, &call.principal, id).await?.is_none() {
            return Err(Refusal::missing(E::KIND, id));
        }
        E::references(directory, &call.principal, id, &value, &mut fields).await?;
        fields.finish()?;
        let action = Action::Update { value, fields: fields.wanted().to_vec() };
        command::<E>(directory, &call.principal, id, action).await
    };
    call.carry_out(E::registry(directory), prepared, answer::<E>).await
}

/// Removes a record.
pub async fn delete<E: Exposed, Q: prost::Message>(
    directory: &Directory,
    rpc: &str,
    request: &Request<Q>,
    request_id: &str,
    id: &str,
    etag: &str,
) -> Result<(), Refusal> {
    let call = match admit::<E, Q>(directory, rpc, request, request_id).await {
        Ok(call) => call,
        Err(answer) => return answer.map(drop),
    };
    let id = parse_id("id", id)?;
    let call = call.about(E::KIND, id).expecting("etag", etag)?;
    let prepared = command::<E>(directory, &call.principal, id, Action::Delete);
    call.carry_out(E::registry(directory), prepared, answer::<E>).await.map(drop)
}
