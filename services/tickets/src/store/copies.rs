//! Read copies of other contexts' records, and caches before them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use callboard_journal::Pool;
use callboard_journal::{Mapping as _, Rows, selected};
use callboard_kernel::{
    CustomerId, DepartmentId, DeviceId, EmployeeId, Isolation, OrganisationId, Principal, TemplateId,
    TicketId, Version,
};
use callboard_tickets_domain::{FlowSet, Place};
use moka::future::Cache;
use sqlx::Row as _;
use uuid::Uuid;

use super::tables::FLOW;
use super::{FlowSetMapping, ReadError, Viewer};

/// How long a record may be looked at without asking the database: what another replica learnt is seen here by then.
const FRESH: Duration = Duration::from_secs(2);
/// How many records of a kind are kept.
const KEPT: u64 = 20_000;

/// What this context keeps of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Template, owner, departments.
    pub place: Place,
    /// What it is called; empty: not known.
    pub name: String,
    /// Empty: none, or not known.
    pub serial_number: String,
    /// It was removed. Its tickets stay, no new ones come.
    pub removed: bool,
}

/// A template's flows and their version.
type Flows = Arc<(FlowSet, Version)>;

/// Read copies and caches. Clones share the caches.
#[derive(Clone, Debug)]
pub struct Copies {
    pool: Pool,
    devices: Cache<DeviceId, Arc<Device>>,
    isolation: Cache<OrganisationId, Isolation>,
    templates: Cache<TemplateId, OrganisationId>,
    flows: Cache<TemplateId, Flows>,
}

/// Why there is nothing to cache.
enum Miss {
    Absent,
    Failed(ReadError),
}

impl<E: Into<ReadError>> From<E> for Miss {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// From the cache, else from the database, once however many ask. What is absent is asked for again.
async fn cached<K, V>(
    cache: &Cache<K, V>,
    key: K,
    read: impl Future<Output = Result<V, Miss>>,
) -> Result<Option<V>, ReadError>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    match cache.try_get_with(key, read).await {
        Ok(value) => Ok(Some(value)),
        Err(miss) => match &*miss {
            Miss::Absent => Ok(None),
            Miss::Failed(_) => Err(match Arc::try_unwrap(miss) {
                Ok(Miss::Failed(error)) => error,
                // Somebody else has the details.
                Ok(Miss::Absent) | Err(_) => ReadError::Sql(sqlx::Error::PoolTimedOut),
            }),
        },
    }
}

impl Copies {
    /// Copies in the schema of this pool.
    pub fn new(pool: Pool) -> Self {
        fn cache<K, V>() -> Cache<K, V>
        where
            K: std::hash::Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
        {
            Cache::builder().max_capacity(KEPT).time_to_live(FRESH).build()
        }
        Self { pool, devices: cache(), isolation: cache(), templates: cache(), flows: cache() }
    }

    /// A device of the organisation, removed or not.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn device(
        &self,
        organisation: OrganisationId,
        id: DeviceId,
    ) -> Result<Option<Arc<Device>>, ReadError> {
        let read = async {
            type Row = (Uuid, Uuid, Option<Uuid>, Vec<Uuid>, bool, i64, String, String);
            let row: Option<Row> = sqlx::query_as(
                "select organisation_id, template_id, customer_id, department_ids, removed, version, \
                 coalesce(name, ''), coalesce(serial_number, '') from device where id = $1",
            )
            .bind(id.uuid())
            .fetch_optional(&self.pool)
            .await?;
            let (organisation, template, customer, departments, removed, version, name, serial_number) =
                row.ok_or(Miss::Absent)?;
            let place = Place {
                template: template.into(),
                customer: customer.map(Into::into),
                departments: departments.into_iter().map(DepartmentId).collect(),
                version,
            };
            Ok(Arc::new(Device { organisation: organisation.into(), place, name, serial_number, removed }))
        };
        let device = cached(&self.devices, id, read).await?;
        Ok(device.filter(|device| device.organisation == organisation))
    }

    /// True when a company owns a device of this template: its users see the template's flows.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn owns_device_of(
        &self,
        organisation: OrganisationId,
        customer: CustomerId,
        template: TemplateId,
    ) -> Result<bool, ReadError> {
        Ok(sqlx::query_scalar(
            "select exists (select from device where organisation_id = $1 and customer_id = $2 \
             and template_id = $3 and not removed)",
        )
        .bind(organisation.uuid())
        .bind(customer.uuid())
        .bind(template.uuid())
        .fetch_one(&self.pool)
        .await?)
    }

    /// The caller as one who looks at tickets.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn viewer(&self, principal: &Principal) -> Result<Viewer, ReadError> {
        // Departments separate employees; nobody else's sight depends on the organisation's setting.
        let isolation = match principal.employee() {
            Some(employee) if !employee.departments.is_empty() => {
                self.isolation(principal.organisation).await?
            }
            Some(_) | None => Isolation::Off,
        };
        Ok(Viewer::new(principal, isolation))
    }

    /// How far departments separate employees; `Off` for an organisation not heard of yet.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn isolation(&self, organisation: OrganisationId) -> Result<Isolation, ReadError> {
        let read = async {
            let word: Option<String> = sqlx::query_scalar("select isolation from organisation where id = $1")
                .bind(organisation.uuid())
                .fetch_optional(&self.pool)
                .await?;
            match word {
                None => Ok(Isolation::Off),
                Some(word) => word.parse().map_err(|error: callboard_kernel::UnknownWord| {
                    Miss::from(sqlx::Error::ColumnDecode {
                        index: "isolation".to_owned(),
                        source: error.into(),
                    })
                }),
            }
        };
        Ok(cached(&self.isolation, organisation, read).await?.unwrap_or_default())
    }

    /// True when the organisation has this template.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn has_template(
        &self,
        organisation: OrganisationId,
        id: TemplateId,
    ) -> Result<bool, ReadError> {
        let read = async {
            let owner: Option<Uuid> =
                sqlx::query_scalar("select organisation_id from template where id = $1 and not removed")
                    .bind(id.uuid())
                    .fetch_optional(&self.pool)
                    .await?;
            owner.map(OrganisationId).ok_or(Miss::Absent)
        };
        Ok(cached(&self.templates, id, read).await? == Some(organisation))
    }

    /// The flows of a template; none, when it is another organisation's.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn flows(
        &self,
        organisation: OrganisationId,
        template: TemplateId,
    ) -> Result<Flows, ReadError> {
        let read = async { Ok(Arc::new(self.read_flows(template).await?)) };
        let flows = cached(&self.flows, template, read).await?.unwrap_or_default();
        Ok(if flows.0.organisation == Some(organisation) { flows } else { Flows::default() })
    }

    /// All flows of a template in one snapshot.
    async fn read_flows(&self, template: TemplateId) -> Result<(FlowSet, Version), ReadError> {
        let found = sqlx::query(
            "select s.organisation_id, s.version, s.flow_ids, s.removed, f.aggregate_id, f.id, f.label, f.steps, \
             f.title_step, f.group_id, f.notification_group_id, f.active \
             from flow_set s left join flow f on f.aggregate_id = s.id where s.id = $1",
        )
        .bind(template.uuid())
        .fetch_all(&self.pool)
        .await?;
        let Some(first) = found.first() else { return Ok((FlowSet::default(), Version::NONE)) };
        let order: serde_json::Value = first.try_get("flow_ids")?;
        let removed: bool = first.try_get("removed")?;
        let mut rows = Rows {
            root: Some(vec![template.uuid().into(), order.into(), removed.into()]),
            organisation: Some(OrganisationId(first.try_get("organisation_id")?)),
            ..Rows::default()
        };
        let flows = rows.children.entry(FLOW.name).or_default();
        for row in &found {
            // A template without flows still has its one row.
            if row.try_get::<Option<Uuid>, _>("id")?.is_some() {
                flows.push(selected(&FLOW, row)?);
            }
        }
        Ok((FlowSetMapping.load(&rows)?, Version(first.try_get("version")?)))
    }

    /// The template's flows changed in this process.
    pub async fn forget_flows(&self, template: TemplateId) {
        self.flows.invalidate(&template).await;
    }

    /// Keeps what an event says of a device, unless something newer is known.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn put_device(&self, id: DeviceId, device: &Device) -> Result<(), sqlx::Error> {
        let departments: Vec<Uuid> =
            device.place.departments.iter().map(|department| department.uuid()).collect();
        sqlx::query(
            "insert into device as d (id, organisation_id, template_id, customer_id, department_ids, removed, version, \
             name, serial_number) \
             values ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), nullif($9, '')) \
             on conflict (id) do update set template_id = excluded.template_id, \
             customer_id = excluded.customer_id, department_ids = excluded.department_ids, \
             removed = excluded.removed, version = excluded.version, \
             name = excluded.name, serial_number = excluded.serial_number \
             where excluded.version > d.version and excluded.organisation_id = d.organisation_id",
        )
        .bind(id.uuid())
        .bind(device.organisation.uuid())
        .bind(device.place.template.uuid())
        .bind(device.place.customer.map(CustomerId::uuid))
        .bind(departments)
        .bind(device.removed)
        .bind(device.place.version)
        .bind(&device.name)
        .bind(&device.serial_number)
        .execute(&self.pool)
        .await?;
        self.devices.invalidate(&id).await;
        Ok(())
    }

    /// Keeps what an event says of an organisation, unless something newer is known.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn put_organisation(
        &self,
        id: OrganisationId,
        isolation: Isolation,
        version: Version,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into organisation as o (id, isolation, version) values ($1, $2, $3) \
             on conflict (id) do update set isolation = excluded.isolation, version = excluded.version \
             where excluded.version > o.version",
        )
        .bind(id.uuid())
        .bind(isolation.as_str())
        .bind(version.0)
        .execute(&self.pool)
        .await?;
        self.isolation.invalidate(&id).await;
        Ok(())
    }

    /// Keeps what an event says of a template, unless something newer is known.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn put_template(
        &self,
        id: TemplateId,
        organisation: OrganisationId,
        removed: bool,
        version: Version,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into template as t (id, organisation_id, removed, version) values ($1, $2, $3, $4) \
             on conflict (id) do update set removed = excluded.removed, version = excluded.version \
             where excluded.version > t.version and excluded.organisation_id = t.organisation_id",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(removed)
        .bind(version.0)
        .execute(&self.pool)
        .await?;
        self.templates.invalidate(&id).await;
        Ok(())
    }

    /// Keeps whether employees have an offer on a ticket that waits for an answer. Of two words of one version the
    /// later one counts, since events of one aggregate come in order. Nothing is kept of a deleted ticket (T-11): the
    /// ticket's row is held meanwhile, so that a deletion comes either before, and is seen, or after, and takes the
    /// offers along.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn put_offers(
        &self,
        organisation: OrganisationId,
        ticket: TicketId,
        offers: &[(EmployeeId, bool)],
        version: Version,
    ) -> Result<(), sqlx::Error> {
        let employees: Vec<Uuid> = offers.iter().map(|(employee, _)| employee.uuid()).collect();
        let open: Vec<bool> = offers.iter().map(|(_, open)| *open).collect();
        sqlx::query(
            "insert into ticket_offer as o (ticket_id, employee_id, organisation_id, open, version) \
             select t.id, f.employee_id, t.organisation_id, f.open, $3 \
             from ticket t cross join unnest($4::uuid[], $5::boolean[]) as f(employee_id, open) \
             where t.id = $1 and t.organisation_id = $2 and not t.deleted for share of t \
             on conflict (ticket_id, employee_id) do update set open = excluded.open, version = excluded.version \
             where excluded.version >= o.version",
        )
        .bind(ticket.uuid())
        .bind(organisation.uuid())
        .bind(version.0)
        .bind(employees)
        .bind(open)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
