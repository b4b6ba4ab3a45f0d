//! What is read of offers, rounds and groups. Every query is scoped by organisation.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use callboard_fleet_domain::dispatch::{Assignment, Offer, OfferStatus, Round};
use callboard_fleet_domain::group::GroupSetState;
use callboard_fleet_domain::{Device, LeftOut, OfferId, Ticket};
use callboard_journal::Pool;
use callboard_kernel::{
    DepartmentId, DeviceId, EmployeeId, OrganisationId, TemplateId, TicketId, Timestamp, Version,
};
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::copies::device;

type Sql<T> = Result<T, sqlx::Error>;

/// Where an offer belongs. Never changes, so it is kept in memory: an accept costs no query to find its ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferHome {
    /// Its organisation.
    pub organisation: OrganisationId,
    /// Its ticket: the id of its dispatch.
    pub ticket: TicketId,
    /// The ticket's device.
    pub device: DeviceId,
}

/// A ticket's dispatch without its offers.
#[derive(Debug, Clone)]
pub struct DispatchView {
    /// The facts.
    pub ticket: Ticket,
    /// The ticket's device; `None`: the directory has not told of it.
    pub device: Option<Arc<Device>>,
    /// The dispatch's version.
    pub version: Version,
    /// 0: unlimited (F-7).
    pub required_workers: i32,
}

/// An offer with where it belongs.
#[derive(Debug, Clone)]
pub struct StoredOffer {
    /// The ticket.
    pub ticket: Uuid,
    /// The offer.
    pub offer: Offer,
    /// The dispatch's version.
    pub version: Version,
}

/// Whose holdings are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's of the organisation.
    Anybody,
    /// One employee's.
    Employee(EmployeeId),
    /// Everybody's, on tickets of one device.
    OnDevice(DeviceId),
}

/// An open offer, or an assignment.
#[derive(Debug, Clone)]
pub struct Holding {
    /// Of this ticket.
    pub ticket: Uuid,
    /// Whose.
    pub employee: EmployeeId,
    /// The ticket's device; `None`: the directory has not told of it.
    pub device: Option<Arc<Device>>,
}

/// A round as stored.
pub type StoredRound = Round;

/// Where the next page of offers starts: behind this one, going back in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferCursor {
    /// When it was made.
    pub at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// Reads fleet's own tables.
#[derive(Debug, Clone)]
pub struct Queries {
    pool: Pool,
    homes: Cache<OfferId, OfferHome>,
    misses: Arc<Semaphore>,
    groups: Cache<(OrganisationId, TemplateId), Arc<GroupSetState>>,
}

/// How long a template's groups may be looked at without asking the database: what another replica was told is seen
/// here by then.
const FRESH: Duration = Duration::from_secs(2);

/// Look-ups of offers at once.
const MISSES: usize = 2;

const OFFER: &str = "o.id, o.aggregate_id, o.employee_id, o.status, o.round, o.decline_reason, o.created_at, \
                     o.seen_at, o.decided_at, o.expires_at, d.version";

fn word<T>(text: &str) -> Sql<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error: T::Err| sqlx::Error::Decode(Box::new(error)))
}

fn count(number: i32) -> Sql<u32> {
    u32::try_from(number).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn stored_offer(row: &PgRow) -> Sql<StoredOffer> {
    let offer = Offer {
        id: row.try_get::<Uuid, _>("id")?.into(),
        employee: row.try_get::<Uuid, _>("employee_id")?.into(),
        status: word(row.try_get("status")?)?,
        round: count(row.try_get("round")?)?,
        decline_reason: row.try_get("decline_reason")?,
        created_at: row.try_get("created_at")?,
        seen_at: row.try_get("seen_at")?,
        decided_at: row.try_get("decided_at")?,
        expires_at: row.try_get("expires_at")?,
    };
    Ok(StoredOffer { ticket: row.try_get("aggregate_id")?, offer, version: Version(row.try_get("version")?) })
}

/// A read copy that a query joined; `None`: there was none.
fn known_device(row: &PgRow) -> Sql<Option<Arc<Device>>> {
    let Some(version) = row.try_get::<Option<i64>, _>("known_version")? else { return Ok(None) };
    let (customer, departments) = (row.try_get("known_customer")?, row.try_get("known_departments")?);
    Ok(Some(device((version, customer, departments, row.try_get("known_removed")?))))
}

fn round(row: &PgRow) -> Sql<Round> {
    Ok(Round {
        number: count(row.try_get("number")?)?,
        group: row.try_get::<Option<Uuid>, _>("group_id")?.map(Into::into),
        eligible: row.try_get::<Json<Vec<EmployeeId>>, _>("eligible")?.0,
        left_out: row.try_get::<Json<Vec<LeftOut>>, _>("left_out")?.0,
        created_at: row.try_get("created_at")?,
    })
}

impl Queries {
    /// Queries in this database.
    pub fn new(pool: Pool) -> Self {
        let homes = Cache::builder().max_capacity(100_000).build();
        let groups = Cache::builder().max_capacity(20_000).time_to_live(FRESH).build();
        Self { pool, homes, misses: Arc::new(Semaphore::new(MISSES)), groups }
    }

    /// Where an offer belongs; `None`: there is none in this organisation.
    ///
    /// A miss brings in all offers of the ticket at once, and few misses are looked up at a time: when a thousand
    /// people answer the same ticket in the same second, one query serves them all.
    pub async fn offer_home(&self, organisation: OrganisationId, id: OfferId) -> Sql<Option<OfferHome>> {
        let known = match self.homes.get(&id).await {
            Some(home) => Some(home),
            None => {
                let _turn = self.misses.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
                match self.homes.get(&id).await {
                    Some(home) => Some(home),
                    None => self.load_homes(id).await?,
                }
            }
        };
        Ok(known.filter(|home| home.organisation == organisation))
    }

    async fn load_homes(&self, id: OfferId) -> Sql<Option<OfferHome>> {
        let rows: Vec<(Uuid, Uuid, Uuid, Uuid)> = sqlx::query_as(
            "select o.id, o.organisation_id, o.aggregate_id, d.device_id
             from offer o join dispatch d on d.id = o.aggregate_id
             where o.aggregate_id = (select aggregate_id from offer where id = $1) and d.device_id is not null",
        )
        .bind(id.uuid())
        .fetch_all(&self.pool)
        .await?;
        let mut found = None;
        for (offer, organisation, ticket, device) in rows {
            let home =
                OfferHome { organisation: organisation.into(), ticket: ticket.into(), device: device.into() };
            if offer == id.uuid() {
                found = Some(home);
            }
            self.homes.insert(offer.into(), home).await;
        }
        Ok(found)
    }

    /// A ticket's dispatch; `None`: never heard of it, or deleted.
    pub async fn dispatch(
        &self,
        organisation: OrganisationId,
        ticket: TicketId,
    ) -> Sql<Option<DispatchView>> {
        let row = sqlx::query(
            "select d.*, k.version as known_version, k.customer_id as known_customer,
                    k.department_ids as known_departments, k.removed as known_removed
             from dispatch d
             left join known_device k on k.id = d.device_id and k.organisation_id = d.organisation_id
             where d.organisation_id = $1 and d.id = $2 and not d.deleted and d.ticket_version is not null",
        )
        .bind(organisation.uuid())
        .bind(ticket.uuid())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let ticket = Ticket {
            version: row.try_get("ticket_version")?,
            template: row.try_get::<Uuid, _>("template_id")?.into(),
            device: row.try_get::<Uuid, _>("device_id")?.into(),
            device_version: row.try_get("device_version")?,
            customer: row.try_get::<Option<Uuid>, _>("customer_id")?.map(Into::into),
            group: row.try_get::<Option<Uuid>, _>("group_id")?.map(Into::into),
            notification_group: row.try_get("notification_group_id")?,
            status: word(row.try_get("status")?)?,
            visibility: word(row.try_get("visibility")?)?,
            departments: row.try_get::<Json<Vec<DepartmentId>>, _>("department_ids")?.0,
        };
        Ok(Some(DispatchView {
            ticket,
            device: known_device(&row)?,
            version: Version(row.try_get("version")?),
            required_workers: row.try_get("required_workers")?,
        }))
    }

    /// The device of a ticket; `None`: never heard of the ticket, or deleted.
    pub async fn device_of(&self, organisation: OrganisationId, ticket: TicketId) -> Sql<Option<DeviceId>> {
        let id: Option<Option<Uuid>> =
            sqlx::query_scalar("select device_id from dispatch where organisation_id = $1 and id = $2")
                .bind(organisation.uuid())
                .bind(ticket.uuid())
                .fetch_optional(&self.pool)
                .await?;
        Ok(id.flatten().map(DeviceId::from))
    }

    /// One offer.
    pub async fn offer(&self, organisation: OrganisationId, id: OfferId) -> Sql<Option<StoredOffer>> {
        let sql = format!(
            "select {OFFER} from offer o join dispatch d on d.id = o.aggregate_id
             where o.organisation_id = $1 and o.id = $2"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id.uuid())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(stored_offer).transpose()
    }

    /// The newest offer of each employee on a ticket, oldest first.
    pub async fn newest_offers(
        &self,
        organisation: OrganisationId,
        ticket: TicketId,
    ) -> Sql<Vec<StoredOffer>> {
        let sql = format!(
            "select * from (
                 select distinct on (o.employee_id) {OFFER}
                 from offer o join dispatch d on d.id = o.aggregate_id
                 where o.organisation_id = $1 and o.aggregate_id = $2
                 order by o.employee_id, o.round desc
             ) newest order by created_at, id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(ticket.uuid())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(stored_offer).collect()
    }

    /// Offers of a ticket or of an employee, newest first.
    pub async fn offers(
        &self,
        organisation: OrganisationId,
        ticket: Option<TicketId>,
        employee: Option<EmployeeId>,
        statuses: &[OfferStatus],
        after: Option<OfferCursor>,
        limit: u32,
    ) -> Sql<Vec<StoredOffer>> {
        let sql = format!(
            "select {OFFER} from offer o join dispatch d on d.id = o.aggregate_id
             where o.organisation_id = $1
               and ($2::uuid is null or o.aggregate_id = $2)
               and ($3::uuid is null or o.employee_id = $3)
               and (cardinality($4::text[]) = 0 or o.status = any($4))
               and ($5::timestamptz is null or (o.created_at, o.id) < ($5, $6))
             order by o.created_at desc, o.id desc limit $7"
        );
        let statuses: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(ticket.map(Uuid::from))
            .bind(employee.map(Uuid::from))
            .bind(statuses)
            .bind(after.map(|cursor| cursor.at))
            .bind(after.map(|cursor| cursor.id))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(stored_offer).collect()
    }

    /// Who is involved, longest first.
    pub async fn assignments(&self, organisation: OrganisationId, ticket: TicketId) -> Sql<Vec<Assignment>> {
        let rows = sqlx::query(
            "select employee_id, source, assigned_by, created_at from assignment
             where organisation_id = $1 and aggregate_id = $2 order by created_at, employee_id",
        )
        .bind(organisation.uuid())
        .bind(ticket.uuid())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Assignment {
                    employee: row.try_get::<Uuid, _>("employee_id")?.into(),
                    source: word(row.try_get("source")?)?,
                    by: word(row.try_get("assigned_by")?)?,
                    created_at: row.try_get("created_at")?,
                })
            })
            .collect()
    }

    /// Rounds of a ticket, newest first, from before `below`.
    pub async fn rounds(
        &self,
        organisation: OrganisationId,
        ticket: TicketId,
        below: Option<i32>,
        limit: u32,
    ) -> Sql<Vec<StoredRound>> {
        let rows = sqlx::query(
            "select r.* from round r join dispatch d on d.id = r.aggregate_id
             where d.organisation_id = $1 and r.aggregate_id = $2 and ($3::int is null or r.number < $3)
             order by r.number desc limit $4",
        )
        .bind(organisation.uuid())
        .bind(ticket.uuid())
        .bind(below)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(round).collect()
    }

    /// The newest round that went to a group, or was left without one, not those requested by hand: it says why
    /// somebody was left out (F-10).
    pub async fn newest_group_round(
        &self,
        organisation: OrganisationId,
        ticket: TicketId,
    ) -> Sql<Option<StoredRound>> {
        let row = sqlx::query(
            "select r.* from round r join dispatch d on d.id = r.aggregate_id
             where d.organisation_id = $1 and r.aggregate_id = $2
               and (r.group_id is not null or r.eligible = '[]'::jsonb)
             order by r.number desc limit 1",
        )
        .bind(organisation.uuid())
        .bind(ticket.uuid())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(round).transpose()
    }

    /// The groups of a template, in order, with the version of the set.
    pub async fn groups(
        &self,
        organisation: OrganisationId,
        template: TemplateId,
    ) -> Sql<(GroupSetState, Version)> {
        let version: Option<i64> =
            sqlx::query_scalar("select version from group_set where organisation_id = $1 and id = $2")
                .bind(organisation.uuid())
                .bind(template.uuid())
                .fetch_optional(&self.pool)
                .await?;
        let Some(version) = version else { return Ok((GroupSetState::default(), Version::NONE)) };
        let rows = sqlx::query("select * from offer_group where aggregate_id = $1 order by place")
            .bind(template.uuid())
            .fetch_all(&self.pool)
            .await?;
        let groups = rows.iter().map(super::groups::read).collect::<Sql<_>>()?;
        Ok((GroupSetState { groups }, Version(version)))
    }

    /// The groups of a template, in order, at most two seconds old: every ticket that opens asks for them.
    pub async fn recent_groups(
        &self,
        organisation: OrganisationId,
        template: TemplateId,
    ) -> Sql<Arc<GroupSetState>> {
        let read = async { self.groups(organisation, template).await.map(|(set, _)| Arc::new(set)) };
        let found = self.groups.try_get_with((organisation, template), read).await;
        // Whoever else waited for the same answer has the details.
        found.map_err(|error| Arc::try_unwrap(error).unwrap_or(sqlx::Error::PoolTimedOut))
    }

    /// The groups of a template were changed here: whatever opens from now on gets the new ones.
    pub async fn forget_groups(&self, organisation: OrganisationId, template: TemplateId) {
        self.groups.invalidate(&(organisation, template)).await;
    }

    /// Who holds an open offer of a ticket or is involved: who may lose it by F-8.
    pub async fn holders(&self, organisation: OrganisationId, ticket: TicketId) -> Sql<Vec<EmployeeId>> {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "select employee_id from offer
             where organisation_id = $1 and aggregate_id = $2 and status in ('UNSEEN', 'SEEN')
             union
             select employee_id from assignment where organisation_id = $1 and aggregate_id = $2",
        )
        .bind(organisation.uuid())
        .bind(ticket.uuid())
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(EmployeeId::from).collect())
    }

    /// What F-8 may take away: who holds an open offer of a ticket that has not ended, or is involved in it. From
    /// behind `after` (ticket, employee), in order of both ids.
    pub async fn holdings(
        &self,
        organisation: OrganisationId,
        whose: Whose,
        after: Option<(Uuid, Uuid)>,
        limit: i64,
    ) -> Sql<Vec<Holding>> {
        let (which, id) = match whose {
            Whose::Anybody => ("$2::uuid is null", None),
            Whose::Employee(employee) => ("employee_id = $2", Some(employee.uuid())),
            Whose::OnDevice(device) => (
                "aggregate_id in (select id from dispatch where organisation_id = $1 and device_id = $2
                                  and status not in ('CLOSED', 'CANCELLED'))",
                Some(device.uuid()),
            ),
        };
        let sql = format!(
            "select h.aggregate_id, h.employee_id, k.version as known_version, k.customer_id as known_customer,
                    k.department_ids as known_departments, k.removed as known_removed
             from (
                 select aggregate_id, employee_id from offer
                 where organisation_id = $1 and {which} and status in ('UNSEEN', 'SEEN')
                 union
                 select aggregate_id, employee_id from assignment where organisation_id = $1 and {which}
             ) h join dispatch d on d.id = h.aggregate_id
             left join known_device k on k.id = d.device_id and k.organisation_id = d.organisation_id
             where d.status not in ('CLOSED', 'CANCELLED')
               and ($3::uuid is null or (h.aggregate_id, h.employee_id) > ($3, $4))
             order by 1, 2 limit $5"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(organisation.uuid())
            .bind(id)
            .bind(after.map(|(ticket, _)| ticket))
            .bind(after.map(|(_, employee)| employee))
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Holding {
                    ticket: row.try_get("aggregate_id")?,
                    employee: row.try_get::<Uuid, _>("employee_id")?.into(),
                    device: known_device(row)?,
                })
            })
            .collect()
    }
}
