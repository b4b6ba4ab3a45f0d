//! The first of the demo organisation: itself and its administrator.

use std::sync::Arc;

use callboard_backing::Backing;
use callboard_directory::{Directory, NewOrganisation, Offline, bootstrap, definition};
use callboard_kernel::{Isolation, Language, OrganisationId, RandomIds, SystemClock, derive_uuid};
use callboard_service::config::{Config, Sources};
use callboard_service::{BoxError, database};
use serde_json::Value;
use uuid::Uuid;

/// The id of the organisation of a mail domain: the same at every start.
pub fn organisation_id(domain: &str) -> OrganisationId {
    derive_uuid(Uuid::nil(), &[b"demo organisation", domain.as_bytes()]).into()
}

/// Makes the organisation of a mail domain and its administrator, `ada@<domain>`, if they are not there. The directory's
/// schema must be.
///
/// # Errors
/// The database cannot be reached.
pub async fn make(backing: &Backing, domain: &str) -> Result<(), BoxError> {
    let definition = definition();
    let config = Config::load(&Sources {
        service: definition.name,
        defaults: definition.default_config,
        overrides: vec![
            ("database.url".to_owned(), Value::from(backing.postgres_url())),
            ("database.max_connections".to_owned(), Value::from(1)),
        ],
        ..Sources::default()
    })?;
    let pool = database::pool(&config.database, definition.name)?;
    let mut offline = Offline::new(pool.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    let directory = Directory::new(&mut offline, pool.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    bootstrap(
        &directory,
        &NewOrganisation {
            id: organisation_id(domain),
            name: "Acme Field Service".to_owned(),
            language: Language::En,
            isolation: Isolation::Off,
            admin_name: "Ada Sommer".to_owned(),
            admin_email: format!("ada@{domain}"),
        },
    )
    .await?;
    pool.close().await;
    Ok(())
}
