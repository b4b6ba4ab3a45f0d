//! What every request shares.

use std::sync::Arc;

use callboard_auth::Verifier;
use callboard_kernel::{Clock, IdGenerator};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Settings;
use crate::limits::Limits;
use crate::live::Hub;
use crate::signals::Sockets;
use crate::start::Visitors;
use crate::upstream::Upstreams;
use crate::views::names::Names;

/// The gateway: channels to the services, the verifier, limits, the live feed. No database, no state that counts.
#[derive(Debug)]
pub struct Gateway {
    /// What it goes by.
    pub settings: Settings,
    /// The services behind it.
    pub upstreams: Upstreams,
    /// Verifies access tokens, as each service does again.
    pub verifier: Arc<Verifier>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdGenerator>,
    /// How much anybody may ask.
    pub limits: Limits,
    /// How many calls' sockets are open.
    pub sockets: Sockets,
    /// The events of all contexts, fanned out.
    pub live: Arc<Hub>,
    /// Names of employees, for a moment.
    pub names: Names,
    /// Who is in by a scanned code and a page.
    pub visitors: Visitors,
    /// Cancelled when the gateway stops: live streams end then.
    pub stopping: CancellationToken,
    /// Work that outlives its request, such as seen marks.
    pub tracker: TaskTracker,
}
