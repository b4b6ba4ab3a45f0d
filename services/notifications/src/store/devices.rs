//! Read copies of what decides where things stand: devices, and who is responsible for video sessions.

use callboard_kernel::{DepartmentId, DeviceId, EmployeeId, OrganisationId};
use callboard_notifications_domain::audience::Device;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Copies, Sql};

/// Who is responsible for the video sessions of a template (V-2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFlow {
    /// The template.
    pub template: Uuid,
    /// By name.
    pub employees: Vec<EmployeeId>,
    /// Everyone in these.
    pub departments: Vec<DepartmentId>,
}

impl Copies {
    /// Keeps a device.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_device(&self, organisation: OrganisationId, id: DeviceId, device: &Device) -> Sql<()> {
        sqlx::query(
            "insert into known_device (id, organisation_id, version, removed, customer_id, department_ids)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (id) do update set version = excluded.version, removed = excluded.removed,
                 customer_id = excluded.customer_id, department_ids = excluded.department_ids
             where excluded.version > known_device.version
               and excluded.organisation_id = known_device.organisation_id",
        )
        .bind(id.uuid())
        .bind(organisation.uuid())
        .bind(device.version)
        .bind(device.removed)
        .bind(device.customer.map(Uuid::from))
        .bind(Json(&device.departments))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps who is responsible for a template's video sessions.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_flow(&self, organisation: OrganisationId, version: i64, flow: &KnownFlow) -> Sql<()> {
        sqlx::query(
            "insert into known_session_flow (template_id, organisation_id, version, employee_ids, department_ids)
             values ($1, $2, $3, $4, $5)
             on conflict (organisation_id, template_id) do update set version = excluded.version,
                 employee_ids = excluded.employee_ids, department_ids = excluded.department_ids
             where excluded.version > known_session_flow.version",
        )
        .bind(flow.template)
        .bind(organisation.uuid())
        .bind(version)
        .bind(Json(&flow.employees))
        .bind(Json(&flow.departments))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
