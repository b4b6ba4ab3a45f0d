//! Names of employees, which the other contexts do not know, and of what a ticket hangs on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use callboard_kernel::{Actor, OrganisationId};
use callboard_proto::directory::v1::ListEmployeesRequest;
use tokio::time::Instant;

use super::around::Around;
use super::part::Part;
use crate::call::Call;

/// Most pages of employees that are read for one view: 1,000 people. Others show by id only.
const MAX_PAGES: usize = 5;

/// Names by employee id.
pub type ById = Arc<HashMap<String, String>>;

/// What the directory said a moment ago, for each caller by itself: nobody reads names by another's right. Forgotten as
/// soon as the directory tells of a change in the organisation.
#[derive(Debug)]
pub struct Names {
    known: moka::future::Cache<(OrganisationId, Actor, u64), ById>,
    /// Devices, templates and customers.
    pub(super) around: Around,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            known: moka::future::Cache::builder()
                .max_capacity(500)
                .time_to_live(Duration::from_secs(20))
                .build(),
            around: Around::default(),
        }
    }
}

impl Names {
    /// The names that the caller may read; `Unreachable` when the directory does not answer in time.
    pub async fn of(&self, call: &Call, until: Instant) -> Part<ById> {
        let organisation = call.principal().organisation;
        let changes = call.gateway.live.changes_of_directory(organisation);
        let key = (organisation, call.principal().actor(), changes);
        if let Some(known) = self.known.get(&key).await {
            return Part::Here(known);
        }
        let mut names = HashMap::new();
        let mut page_token = String::new();
        for _ in 0..MAX_PAGES {
            let message =
                ListEmployeesRequest { page_size: 200, page_token, ..ListEmployeesRequest::default() };
            let time = until.saturating_duration_since(Instant::now());
            let mut directory = call.gateway.upstreams.directory();
            match Part::of(directory.list_employees(call.request_within(message, time)), until).await {
                Part::Here(page) => {
                    names.extend(page.employees.into_iter().map(|employee| (employee.id, employee.name)));
                    page_token = page.next_page_token;
                }
                Part::Nothing(status) => return Part::Nothing(status),
                Part::Unreachable => return Part::Unreachable,
            }
            if page_token.is_empty() {
                break;
            }
        }
        let names = Arc::new(names);
        self.known.insert(key, names.clone()).await;
        Part::Here(names)
    }
}
