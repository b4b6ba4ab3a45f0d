//! Read copies of the directory, of tickets, fleet and ratings: what they told last, newest version first.

use std::sync::Arc;
use std::time::Duration;

use callboard_journal::Gather;
use callboard_journal::Pool;
use callboard_kernel::{CustomerId, DeviceId, EmployeeId, Isolation, OrganisationId, TemplateId, TicketId};
use callboard_video_domain::Place;
use moka::future::Cache;
use sqlx::Row;
use uuid::Uuid;

use super::tickets::{KeptTicket, TOGETHER, keep_all};
use super::{Sql, typed, uuids};

/// How long a copy may be read from memory.
const TTL: Duration = Duration::from_secs(2);

/// A device as the directory told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCopy {
    /// Which.
    pub id: DeviceId,
    /// Template, customer, departments.
    pub place: Place,
    /// It was removed: nothing new comes.
    pub removed: bool,
}

/// A ticket as far as links need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketCopy {
    /// Its device.
    pub device: DeviceId,
    /// Its customer.
    pub customer: Option<CustomerId>,
    /// Whether it is seen from outside.
    pub public: bool,
}

/// The read copies.
#[derive(Debug, Clone)]
pub struct Copies {
    pool: Pool,
    tickets: Gather<KeptTicket>,
    isolations: Cache<OrganisationId, Isolation>,
}

impl Copies {
    /// The copies in this database.
    pub fn new(pool: Pool) -> Self {
        let writing = pool.clone();
        Self {
            pool,
            tickets: Gather::new(TOGETHER, KeptTicket::key, move |all| keep_all(writing.clone(), all)),
            isolations: Cache::builder().max_capacity(10_000).time_to_live(TTL).build(),
        }
    }

    /// The isolation of an organisation; off when the directory has not told yet.
    pub async fn isolation(&self, organisation: OrganisationId) -> Sql<Isolation> {
        let load = async {
            let word: Option<String> =
                sqlx::query_scalar("select isolation from known_organisation where id = $1")
                    .bind(organisation.uuid())
                    .fetch_optional(&self.pool)
                    .await?;
            word.map_or(Ok(Isolation::Off), |word| {
                word.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
            })
        };
        self.isolations.try_get_with(organisation, load).await.map_err(|error: Arc<sqlx::Error>| {
            Arc::try_unwrap(error).unwrap_or_else(|error| sqlx::Error::Protocol(error.to_string()))
        })
    }

    /// Keeps an organisation.
    pub async fn keep_organisation(&self, id: OrganisationId, version: i64, isolation: Isolation) -> Sql<()> {
        sqlx::query(
            "insert into known_organisation (id, version, isolation) values ($1, $2, $3)
             on conflict (id) do update set version = excluded.version, isolation = excluded.isolation
             where excluded.version > known_organisation.version",
        )
        .bind(id.uuid())
        .bind(version)
        .bind(isolation.as_str())
        .execute(&self.pool)
        .await?;
        self.isolations.invalidate(&id).await;
        Ok(())
    }

    /// Keeps a template.
    pub async fn keep_template(
        &self,
        organisation: OrganisationId,
        id: TemplateId,
        version: i64,
        removed: bool,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_template (id, organisation_id, version, removed) values ($1, $2, $3, $4)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed
             where excluded.version > known_template.version",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(removed)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// True when the organisation has this template.
    pub async fn has_template(&self, organisation: OrganisationId, template: TemplateId) -> Sql<bool> {
        sqlx::query_scalar(
            "select exists (select from known_template
             where id = $1 and organisation_id = $2 and not removed)",
        )
        .bind(template.uuid())
        .bind(organisation.uuid())
        .fetch_one(&self.pool)
        .await
    }

    /// True when a device, or a customer any device, of this template is there: who may see its flow from outside.
    pub async fn has_device_of(
        &self,
        organisation: OrganisationId,
        template: TemplateId,
        device: Option<DeviceId>,
        customer: Option<CustomerId>,
    ) -> Sql<bool> {
        sqlx::query_scalar(
            "select exists (select from known_device
             where organisation_id = $1 and template_id = $2 and not removed
               and (id = $3 or customer_id = $4))",
        )
        .bind(organisation.uuid())
        .bind(template.uuid())
        .bind(device.map(Uuid::from))
        .bind(customer.map(Uuid::from))
        .fetch_one(&self.pool)
        .await
    }

    /// Keeps a device.
    pub async fn keep_device(
        &self,
        organisation: OrganisationId,
        version: i64,
        device: &DeviceCopy,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_device (id, organisation_id, version, removed, template_id, customer_id,
                 department_ids)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 template_id = excluded.template_id, customer_id = excluded.customer_id,
                 department_ids = excluded.department_ids
             where excluded.version > known_device.version",
        )
        .bind(device.id.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(device.removed)
        .bind(device.place.template.uuid())
        .bind(device.place.customer.map(Uuid::from))
        .bind(uuids(&device.place.departments))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A device of the organisation, removed or not.
    pub async fn device(&self, organisation: OrganisationId, id: DeviceId) -> Sql<Option<DeviceCopy>> {
        let row = sqlx::query("select * from known_device where id = $1 and organisation_id = $2")
            .bind(id.uuid())
            .bind(organisation.uuid())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            Ok(DeviceCopy {
                id,
                place: Place {
                    template: row.try_get::<Uuid, _>("template_id")?.into(),
                    customer: row.try_get::<Option<Uuid>, _>("customer_id")?.map(Into::into),
                    departments: typed(row.try_get("department_ids")?),
                },
                removed: row.try_get("removed")?,
            })
        })
        .transpose()
    }

    /// Keeps a ticket; `None`: it was deleted (T-11), and nothing but that is kept, for good. Those that come at the same
    /// time are written together.
    pub async fn keep_ticket(
        &self,
        organisation: OrganisationId,
        version: i64,
        id: TicketId,
        ticket: Option<&TicketCopy>,
    ) -> Sql<()> {
        self.tickets.put(KeptTicket { organisation, version, id, ticket: ticket.cloned() }).await
    }

    /// A ticket of the organisation that is there.
    pub async fn ticket(&self, organisation: OrganisationId, id: TicketId) -> Sql<Option<TicketCopy>> {
        let row: Option<(Uuid, Option<Uuid>, bool)> = sqlx::query_as(
            "select device_id, customer_id, public from known_ticket
             where id = $1 and organisation_id = $2 and not deleted and device_id is not null",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(device, customer, public)| TicketCopy {
            device: device.into(),
            customer: customer.map(Into::into),
            public,
        }))
    }

    /// Keeps what became of offers of a ticket. Events of one ticket come in order, and several may have one version.
    pub async fn keep_offers(
        &self,
        organisation: OrganisationId,
        version: i64,
        ticket: TicketId,
        employees: &[EmployeeId],
        offered: bool,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_offer (ticket_id, employee_id, organisation_id, version, offered, assigned)
             select $1, e, $2, $3, $5, false from unnest($4::uuid[]) e
             where not exists (select from known_ticket where id = $1 and deleted)
             on conflict (ticket_id, employee_id) do update
                 set version = excluded.version, offered = excluded.offered
             where excluded.version >= known_offer.version",
        )
        .bind(ticket.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(uuids(employees))
        .bind(offered)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps who is assigned to a ticket: these, and nobody else.
    pub async fn keep_assigned(
        &self,
        organisation: OrganisationId,
        version: i64,
        ticket: TicketId,
        employees: &[EmployeeId],
    ) -> Sql<()> {
        sqlx::query(
            "with others as (
                 update known_offer set assigned = false, version = $3
                 where ticket_id = $1 and version <= $3 and assigned and employee_id <> all($4))
             insert into known_offer (ticket_id, employee_id, organisation_id, version, offered, assigned)
             select $1, e, $2, $3, false, true from unnest($4::uuid[]) e
             where not exists (select from known_ticket where id = $1 and deleted)
             on conflict (ticket_id, employee_id) do update
                 set version = excluded.version, assigned = true, offered = false
             where excluded.version >= known_offer.version",
        )
        .bind(ticket.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(uuids(employees))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// True when an employee is assigned to a ticket: may write in its conversation (M-3).
    pub async fn is_assigned(
        &self,
        organisation: OrganisationId,
        ticket: TicketId,
        employee: EmployeeId,
    ) -> Sql<bool> {
        sqlx::query_scalar(
            "select exists (select from known_offer
             where organisation_id = $1 and ticket_id = $2 and employee_id = $3 and assigned)",
        )
        .bind(organisation.uuid())
        .bind(ticket.uuid())
        .bind(employee.uuid())
        .fetch_one(&self.pool)
        .await
    }

    /// Keeps a template's switch.
    pub async fn keep_switch(
        &self,
        organisation: OrganisationId,
        version: i64,
        template: TemplateId,
        rated: bool,
    ) -> Sql<()> {
        sqlx::query(
            "insert into known_switch (template_id, organisation_id, version, rated) values ($1, $2, $3, $4)
             on conflict (template_id) do update set version = excluded.version, rated = excluded.rated
             where excluded.version > known_switch.version",
        )
        .bind(template.uuid())
        .bind(organisation.uuid())
        .bind(version)
        .bind(rated)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Whether a template's sessions are rated now; off when ratings have not told.
    pub async fn is_rated(&self, organisation: OrganisationId, template: TemplateId) -> Sql<bool> {
        let rated: Option<bool> = sqlx::query_scalar(
            "select rated from known_switch where organisation_id = $1 and template_id = $2",
        )
        .bind(organisation.uuid())
        .bind(template.uuid())
        .fetch_optional(&self.pool)
        .await?;
        Ok(rated.unwrap_or(false))
    }
}
