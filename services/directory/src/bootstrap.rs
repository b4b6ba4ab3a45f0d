//! The first of an organisation: itself and an administrator.

use std::time::{Duration, Instant};

use bytes::Bytes;
use callboard_directory_domain::{Action, Command, Email, Employee, Facts, Name, Organisation};
use callboard_kernel::{Isolation, Language, OrganisationId, Refusal, Role, derive_uuid};
use uuid::Uuid;

use crate::api::of_create;
use crate::directory::Directory;
use crate::store::read;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An organisation to be.
#[derive(Debug, Clone)]
pub struct NewOrganisation {
    /// Its id; the administrator's is derived from it.
    pub id: OrganisationId,
    /// 1 to 200 characters.
    pub name: String,
    /// Where a person's own is not known; also the administrator's.
    pub language: Language,
    /// How far departments separate employees.
    pub isolation: Isolation,
    /// The administrator's, 1 to 200 characters.
    pub admin_name: String,
    /// The administrator's, the one to log in by.
    pub admin_email: String,
}

/// The administrator that [`bootstrap`] makes.
pub fn administrator_id(organisation: OrganisationId) -> Uuid {
    derive_uuid(organisation.uuid(), &[b"first administrator"])
}

/// Makes an organisation with its first administrator, who makes the rest through the API. Cut off half way or
/// repeated, it makes what is missing and changes nothing that is there. Answers the administrator's id.
///
/// # Errors
/// Names the field that breaks a rule; [`callboard_kernel::ErrorKind::AlreadyExists`] when the e-mail address is taken.
pub async fn bootstrap(directory: &Directory, new: &NewOrganisation) -> Result<Uuid, Refusal> {
    let field = |field: &'static str| move |rule: &str| Refusal::field(field, rule);
    let organisation = Organisation {
        name: Name::parse(&new.name).map_err(field("name"))?,
        isolation: new.isolation,
        language: new.language,
        time_zone: String::new(),
    };
    let administrator = Employee {
        name: Name::parse(&new.admin_name).map_err(field("admin_name"))?,
        email: Email::parse(&new.admin_email).map_err(field("admin_email"))?,
        role: Role::Administrator,
        language: new.language,
        ..Employee::default()
    };
    let (pool, id, admin) = (&directory.pool, new.id, administrator_id(new.id));
    let call = || directory.once(id, Instant::now() + PATIENCE).creating().telling(of_create);
    if read::get::<Organisation>(pool, id, id.uuid()).await?.is_none() {
        let command =
            Command { id: id.uuid(), action: Action::Create(organisation), facts: Facts::default() };
        call().ask_bytes(&directory.organisations, id.uuid(), command, |_, _, _| Bytes::new()).await?;
    }
    // Whoever was made once and removed since stays removed.
    let known: bool = sqlx::query_scalar("select exists (select from employee where id = $1)")
        .bind(admin)
        .fetch_one(pool)
        .await
        .map_err(crate::store::ReadError::from)?;
    if !known {
        let command = Command { id: admin, action: Action::Create(administrator), facts: Facts::default() };
        call().ask_bytes(&directory.employees, admin, command, |_, _, _| Bytes::new()).await?;
    }
    Ok(admin)
}
