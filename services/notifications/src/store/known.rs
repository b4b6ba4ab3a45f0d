//! What read copies hold.

use std::collections::BTreeSet;

use callboard_kernel::{CustomerId, DepartmentId, DeviceId, EmployeeId, Language, Role};
use callboard_notifications_domain::audience::Subject;
use callboard_notifications_domain::{GroupId, SubjectKind, TeamId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Sql, decoded};

/// What is known of an employee.
#[derive(Debug, Clone)]
pub struct KnownEmployee {
    /// Who.
    pub id: EmployeeId,
    /// The role.
    pub role: Role,
    /// The language of the profile.
    pub language: Language,
    /// For isolation.
    pub departments: Vec<DepartmentId>,
    /// For groups.
    pub teams: Vec<TeamId>,
    /// Words: `CARE`, `ACCESS`, `SALES`.
    pub support_roles: Vec<&'static str>,
}

/// What is known of a ticket, a task, a device event, a video session, a webhook or a ticket of the support desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSubject {
    /// Which.
    pub id: Uuid,
    /// What it is.
    pub kind: SubjectKind,
    /// Its own version; -1: another context spoke of it first, and what it is remains to be heard.
    pub version: i64,
    /// Gone for good (T-11).
    pub deleted: bool,
    /// Short number; 0: none.
    pub number: i64,
    /// The device.
    pub device: Option<DeviceId>,
    /// The version of the device that `customer` and `departments` are of; 0: not told.
    pub device_version: i64,
    /// The company that owned the device when it opened.
    pub customer: Option<CustomerId>,
    /// Not for outsiders (T-13).
    pub internal: bool,
    /// The device's departments when it opened.
    pub departments: Vec<DepartmentId>,
    /// Who works on it.
    pub involved: Vec<EmployeeId>,
    /// The notification group.
    pub group: Option<GroupId>,
}

impl KnownSubject {
    /// A subject of which nothing is known but that it is there.
    pub const fn unheard(kind: SubjectKind, id: Uuid) -> Self {
        Self {
            id,
            kind,
            version: -1,
            deleted: false,
            number: 0,
            device: None,
            device_version: 0,
            customer: None,
            internal: true,
            departments: Vec::new(),
            involved: Vec::new(),
            group: None,
        }
    }

    /// How the domain judges by it, as far as its own context told; nobody declined.
    pub fn as_told(&self) -> Subject {
        Subject {
            internal: self.internal,
            company: self.customer,
            departments: self.departments.clone(),
            undivided: matches!(self.kind, SubjectKind::SupportTicket | SubjectKind::Webhook),
            involved: self.involved.iter().copied().collect(),
            declined: BTreeSet::new(),
        }
    }
}

/// The columns of a subject, of a table `s`.
pub(super) const SUBJECT: &str = "s.id, s.kind, s.version, s.deleted, s.number, s.device_id, s.device_version, s.customer_id, s.internal, s.department_ids, s.involved, s.group_id";

pub(super) fn subject(row: &PgRow) -> Sql<KnownSubject> {
    let id = |column: &str| row.try_get::<Option<Uuid>, _>(column);
    Ok(KnownSubject {
        id: row.try_get("id")?,
        kind: decoded(row.try_get::<String, _>("kind")?.parse())?,
        version: row.try_get("version")?,
        deleted: row.try_get("deleted")?,
        number: row.try_get("number")?,
        device: id("device_id")?.map(Into::into),
        device_version: row.try_get("device_version")?,
        customer: id("customer_id")?.map(Into::into),
        internal: row.try_get("internal")?,
        departments: row.try_get::<Json<Vec<DepartmentId>>, _>("department_ids")?.0,
        involved: row.try_get::<Json<Vec<EmployeeId>>, _>("involved")?.0,
        group: id("group_id")?.map(Into::into),
    })
}
