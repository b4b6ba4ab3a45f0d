//! Those who might be told, looked up (N-4).

use callboard_journal::Gather;
use callboard_journal::Pool;
use callboard_kernel::{DepartmentId, EmployeeId, Isolation, OrganisationId};
use callboard_notifications_domain::audience::{Circle, Colleague, Subject, falls_to_stewards};
use callboard_notifications_domain::{EventType, GroupId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::types::Json;
use uuid::Uuid;

use super::{KnownSubject, Sql, shared_out, spread};

/// What of an event says who is looked up.
#[derive(Debug, Clone, Default)]
pub struct Around<'a> {
    /// Whom it is about.
    pub named: &'a [EmployeeId],
    /// The support role, as a word.
    pub field: Option<&'a str>,
    /// The notification group where it is another than the subject's.
    pub group: Option<GroupId>,
    /// The template whose responsible people hear of it.
    pub template: Option<Uuid>,
}

/// Questions that are answered at once.
const TOGETHER: usize = 64;

/// What outsiders are found by: an organisation, and one of its companies or devices.
type Whose = (OrganisationId, Uuid);

/// Looks people up.
#[derive(Debug, Clone)]
pub struct Circles {
    pool: Pool,
    companies: Gather<Whose, Vec<Uuid>>,
    codes: Gather<Whose, Vec<Uuid>>,
    employees: Gather<(OrganisationId, Vec<EmployeeId>), Vec<Colleague>>,
}

type Row = (Uuid, Json<Vec<DepartmentId>>);

fn colleagues(rows: Vec<Row>) -> Vec<Colleague> {
    rows.into_iter()
        .map(|(id, departments)| Colleague { id: id.into(), departments: departments.0 })
        .collect()
}

impl Circles {
    /// In this database.
    pub fn new(pool: Pool) -> Self {
        let (visiting, scanning, meeting) = (pool.clone(), pool.clone(), pool.clone());
        Self {
            pool,
            companies: Gather::asking(TOGETHER, move |all| outsiders(visiting.clone(), COMPANIES, all)),
            codes: Gather::asking(TOGETHER, move |all| outsiders(scanning.clone(), CODES, all)),
            employees: Gather::asking(TOGETHER, move |all| employees(meeting.clone(), all)),
        }
    }

    async fn employees(&self, organisation: OrganisationId, ids: &[EmployeeId]) -> Sql<Vec<Colleague>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.employees.put((organisation, ids.to_vec())).await
    }

    /// The members of a group, departments and teams expanded; nobody where it is no more.
    async fn group(&self, organisation: OrganisationId, group: Option<GroupId>) -> Sql<Vec<Colleague>> {
        let Some(group) = group else { return Ok(Vec::new()) };
        let rows: Vec<Row> = sqlx::query_as(
            "select e.id, e.department_ids from known_employee e, notification_group g
             where g.organisation_id = $1 and g.id = $2 and g.name is not null
               and e.organisation_id = $1 and not e.removed
               and (g.employee_ids ? e.id::text
                 or e.department_ids ?| array(select jsonb_array_elements_text(g.department_ids))
                 or e.team_ids ?| array(select jsonb_array_elements_text(g.team_ids)))",
        )
        .bind(organisation.uuid())
        .bind(group.uuid())
        .fetch_all(&self.pool)
        .await?;
        Ok(colleagues(rows))
    }

    /// Those who are responsible for the video sessions of a template (V-2).
    async fn responsible(&self, organisation: OrganisationId, template: Uuid) -> Sql<Vec<Colleague>> {
        let rows: Vec<Row> = sqlx::query_as(
            "select e.id, e.department_ids from known_employee e, known_session_flow f
             where f.organisation_id = $1 and f.template_id = $2
               and e.organisation_id = $1 and not e.removed
               and (f.employee_ids ? e.id::text
                 or e.department_ids ?| array(select jsonb_array_elements_text(f.department_ids)))",
        )
        .bind(organisation.uuid())
        .bind(template)
        .fetch_all(&self.pool)
        .await?;
        Ok(colleagues(rows))
    }

    async fn of_roles(&self, organisation: OrganisationId, roles: &[&str]) -> Sql<Vec<Colleague>> {
        let rows: Vec<Row> = sqlx::query_as(
            "select id, department_ids from known_employee
             where organisation_id = $1 and not removed and role = any($2)",
        )
        .bind(organisation.uuid())
        .bind(roles)
        .fetch_all(&self.pool)
        .await?;
        Ok(colleagues(rows))
    }

    /// Everybody who might be told of this type of events on this subject. `judged`: the same subject, by its device as
    /// it is now.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn around(
        &self,
        organisation: OrganisationId,
        event_type: EventType,
        subject: &KnownSubject,
        judged: &Subject,
        isolation: Isolation,
        around: &Around<'_>,
    ) -> Sql<Circle> {
        let wanted = event_type.heard_by();
        let mut circle =
            Circle { named: self.employees(organisation, around.named).await?, ..Circle::default() };
        if wanted.involved {
            circle.involved = self.employees(organisation, &subject.involved).await?;
        }
        if wanted.group {
            circle.group = self.group(organisation, around.group.or(subject.group)).await?;
        }
        if wanted.agents
            && let Some(field) = around.field
        {
            let rows: Vec<Row> = sqlx::query_as(
                "select id, department_ids from known_employee
                 where organisation_id = $1 and not removed and support_roles ? $2",
            )
            .bind(organisation.uuid())
            .bind(field)
            .fetch_all(&self.pool)
            .await?;
            circle.agents = colleagues(rows);
        }
        if wanted.responsible
            && let Some(template) = around.template
        {
            circle.responsible = self.responsible(organisation, template).await?;
        }
        if wanted.administrators {
            circle.administrators = self.of_roles(organisation, &["administrator"]).await?;
        }
        if falls_to_stewards(event_type, isolation, judged, &circle) {
            circle.stewards = self.of_roles(organisation, &["moderator", "administrator"]).await?;
        }
        if wanted.outsiders && !subject.internal {
            if let Some(company) = judged.company {
                let users = self.companies.put((organisation, company.uuid())).await?;
                circle.company = users.into_iter().map(Into::into).collect();
            }
            if let Some(device) = subject.device {
                let codes = self.codes.put((organisation, device.uuid())).await?;
                circle.codes = codes.into_iter().map(Into::into).collect();
            }
        }
        Ok(circle)
    }
}

/// Users of a company that did not switch notifications off.
const COMPANIES: &str = "select a.place, u.id
    from unnest($1::uuid[], $2::uuid[]) with ordinality as a(organisation_id, id, place)
    join known_customer_user u on u.organisation_id = a.organisation_id and u.customer_id = a.id and not u.removed
    where not exists (select from preferences p where p.organisation_id = a.organisation_id
        and p.person = 'customer_user:' || u.id and p.switched_off)";

/// Codes on a device that let visitors in.
const CODES: &str = "select a.place, c.id
    from unnest($1::uuid[], $2::uuid[]) with ordinality as a(organisation_id, id, place)
    join known_code c on c.organisation_id = a.organisation_id and c.device_id = a.id and c.active and not c.removed";

/// Answers each question with the ids that `sql` finds for it.
fn outsiders(pool: Pool, sql: &'static str, all: Vec<Whose>) -> BoxFuture<'static, Sql<Vec<Vec<Uuid>>>> {
    async move {
        let rows: Vec<(i64, Uuid)> = sqlx::query_as(sql)
            .bind(all.iter().map(|(organisation, _)| organisation.uuid()).collect::<Vec<_>>())
            .bind(all.iter().map(|(_, id)| *id).collect::<Vec<_>>())
            .fetch_all(&pool)
            .await?;
        Ok(shared_out(all.len(), rows))
    }
    .boxed()
}

/// The employees of each list who are there.
fn employees(
    pool: Pool,
    all: Vec<(OrganisationId, Vec<EmployeeId>)>,
) -> BoxFuture<'static, Sql<Vec<Vec<Colleague>>>> {
    async move {
        let (places, organisations, who) = spread(&all, |id| id.uuid());
        let rows: Vec<(i64, Uuid, Json<Vec<DepartmentId>>)> = sqlx::query_as(
            "select a.place, e.id, e.department_ids
             from unnest($1::bigint[], $2::uuid[], $3::uuid[]) as a(place, organisation_id, id)
             cross join lateral (
                 select * from known_employee e
                 where e.organisation_id = a.organisation_id and e.id = a.id and not e.removed limit 1) e",
        )
        .bind(places)
        .bind(organisations)
        .bind(who)
        .fetch_all(&pool)
        .await?;
        let found = rows
            .into_iter()
            .map(|(place, id, departments)| (place, Colleague { id: id.into(), departments: departments.0 }))
            .collect();
        Ok(shared_out(all.len(), found))
    }
    .boxed()
}
