//! Those who might be told, looked up (N-4).

use callboard_kernel::{DepartmentId, EmployeeId, OrganisationId};
use callboard_notifications_domain::audience::{Circle, Colleague, Subject};
use callboard_notifications_domain::{EventType, GroupId};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use super::{KnownSubject, Sql, uuids};

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

/// Looks people up.
#[derive(Debug, Clone)]
pub struct Circles {
    pool: PgPool,
}

type Row = (Uuid, Json<Vec<DepartmentId>>);

fn colleagues(rows: Vec<Row>) -> Vec<Colleague> {
    rows.into_iter()
        .map(|(id, departments)| Colleague { id: id.into(), departments: departments.0 })
        .collect()
}

impl Circles {
    /// In this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    async fn employees(&self, organisation: OrganisationId, ids: &[EmployeeId]) -> Sql<Vec<Colleague>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<Row> = sqlx::query_as(
            "select id, department_ids from known_employee
             where organisation_id = $1 and id = any($2) and not removed",
        )
        .bind(organisation.uuid())
        .bind(uuids(ids))
        .fetch_all(&self.pool)
        .await?;
        Ok(colleagues(rows))
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
        if wanted.stewards && subject.involved.is_empty() && circle.responsible.is_empty() {
            circle.stewards = self.of_roles(organisation, &["moderator", "administrator"]).await?;
        }
        if wanted.administrators {
            circle.administrators = self.of_roles(organisation, &["administrator"]).await?;
        }
        if wanted.outsiders && !subject.internal {
            let company: Vec<Uuid> = sqlx::query_scalar(
                "select u.id from known_customer_user u
                 where u.organisation_id = $1 and u.customer_id = $2 and not u.removed
                   and not exists (select from preferences p where p.organisation_id = $1
                     and p.person = 'customer_user:' || u.id and p.switched_off)",
            )
            .bind(organisation.uuid())
            .bind(judged.company.map(Uuid::from))
            .fetch_all(&self.pool)
            .await?;
            circle.company = company.into_iter().map(Into::into).collect();
            let codes: Vec<Uuid> = sqlx::query_scalar(
                "select id from known_code
                 where organisation_id = $1 and device_id = $2 and active and not removed",
            )
            .bind(organisation.uuid())
            .bind(subject.device.map(Uuid::from))
            .fetch_all(&self.pool)
            .await?;
            circle.codes = codes.into_iter().map(Into::into).collect();
        }
        Ok(circle)
    }
}
