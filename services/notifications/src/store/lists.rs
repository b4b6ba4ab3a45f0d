//! Who is on a list: of a notification group, or of those responsible for a template's video sessions (N-3, N-4, V-2).

use callboard_journal::Pool;
use callboard_kernel::{EmployeeId, OrganisationId};
use callboard_notifications_domain::GroupId;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::{Copies, Sql};

/// A list of employees, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// A notification group.
    Group(OrganisationId, GroupId),
    /// Those responsible for the video sessions of a template.
    Responsible(OrganisationId, Uuid),
}

impl List {
    const fn organisation(self) -> OrganisationId {
        match self {
            Self::Group(organisation, _) | Self::Responsible(organisation, _) => organisation,
        }
    }

    const fn group(self) -> Option<Uuid> {
        match self {
            Self::Group(_, group) => Some(group.uuid()),
            Self::Responsible(..) => None,
        }
    }

    const fn template(self) -> Option<Uuid> {
        match self {
            Self::Group(..) => None,
            Self::Responsible(_, template) => Some(template),
        }
    }
}

/// Whether each is on the list, in one statement.
pub(super) fn listed_all(pool: Pool, all: Vec<(List, EmployeeId)>) -> BoxFuture<'static, Sql<Vec<bool>>> {
    async move {
        let lists = || all.iter().map(|(list, _)| *list);
        // Each list is found by its key; whichever of the two is not asked for has none.
        let places: Vec<i64> = sqlx::query_scalar(
            "select a.place
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) with ordinality
                 as a(organisation_id, group_id, template_id, employee_id, place)
             cross join lateral (
                 select * from known_employee e
                 where e.organisation_id = a.organisation_id and e.id = a.employee_id and not e.removed limit 1) e
             where exists (
                     select from notification_group g
                     where g.organisation_id = a.organisation_id and g.id = a.group_id and g.name is not null
                       and (g.employee_ids ? e.id::text
                         or e.department_ids ?| array(select jsonb_array_elements_text(g.department_ids))
                         or e.team_ids ?| array(select jsonb_array_elements_text(g.team_ids))))
                or exists (
                     select from known_session_flow f
                     where f.organisation_id = a.organisation_id and f.template_id = a.template_id
                       and (f.employee_ids ? e.id::text
                         or e.department_ids ?| array(select jsonb_array_elements_text(f.department_ids))))",
        )
        .bind(lists().map(|list| list.organisation().uuid()).collect::<Vec<_>>())
        .bind(lists().map(List::group).collect::<Vec<_>>())
        .bind(lists().map(List::template).collect::<Vec<_>>())
        .bind(all.iter().map(|(_, employee)| employee.uuid()).collect::<Vec<_>>())
        .fetch_all(&pool)
        .await?;
        let places: std::collections::HashSet<i64> = places.into_iter().collect();
        Ok((1..).zip(&all).map(|(place, _)| places.contains(&place)).collect())
    }
    .boxed()
}

impl Copies {
    /// Whether an employee is on a list now, by themselves or by a department or team. Those that are asked for at the
    /// same time are read together.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn is_listed(&self, list: List, id: EmployeeId) -> Sql<bool> {
        self.lists.put((list, id)).await
    }
}
