//! The tables and functions in the schema of every context that has attachments.

use std::borrow::Cow;

use sqlx::migrate::Migrator;

static OWN: Migrator = sqlx::migrate!("./migrations");

/// Versions of these migrations are below those of any context, so that a context's own may build on them.
const BELOW: i64 = -1000;

/// A context's migrations with those of attachments before them.
///
/// ```ignore
/// pub static MIGRATIONS: LazyLock<Migrator> =
///     LazyLock::new(|| callboard_attachments::with_migrations(sqlx::migrate!("./migrations")));
/// ```
pub fn with_migrations(context: Migrator) -> Migrator {
    let mut all = OWN.migrations.to_vec();
    for migration in &mut all {
        migration.version += BELOW;
        migration.description = Cow::Owned(format!("attachments: {}", migration.description));
    }
    all.extend(context.migrations.iter().cloned());
    Migrator { migrations: Cow::Owned(all), ..context }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_come_before_anything_of_the_context() {
        let all = with_migrations(Migrator { migrations: OWN.migrations.clone(), ..Migrator::DEFAULT });
        let versions: Vec<i64> = all.iter().map(|migration| migration.version).collect();
        assert!(versions.is_sorted(), "{versions:?}");
        assert!(versions[0] < 0 && versions.contains(&1));
    }
}
