//! What read copies hold.

use callboard_kernel::{CustomerId, DepartmentId, DeviceId, EmployeeId, Language, Role};
use callboard_notifications_domain::{GroupId, SubjectKind, TeamId};
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
}

pub(super) type SubjectRow = (
    Uuid,
    String,
    i64,
    bool,
    i64,
    Option<Uuid>,
    i64,
    Option<Uuid>,
    bool,
    Json<Vec<DepartmentId>>,
    Json<Vec<EmployeeId>>,
    Option<Uuid>,
);

/// The columns of a [`SubjectRow`].
pub(super) const SUBJECT: &str = "id, kind, version, deleted, number, device_id, device_version, customer_id, internal, department_ids, involved, group_id";

pub(super) fn subject(row: SubjectRow) -> Sql<KnownSubject> {
    let (
        id,
        kind,
        version,
        deleted,
        number,
        device,
        device_version,
        customer,
        internal,
        departments,
        involved,
        group,
    ) = row;
    Ok(KnownSubject {
        id,
        kind: decoded(kind.parse())?,
        version,
        deleted,
        number,
        device: device.map(Into::into),
        device_version,
        customer: customer.map(Into::into),
        internal,
        departments: departments.0,
        involved: involved.0,
        group: group.map(Into::into),
    })
}
