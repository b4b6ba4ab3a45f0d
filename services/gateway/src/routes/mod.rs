//! The routes, a file for each resource.

mod attachments;
pub use attachments::pass_ticket_file;
mod calendar;
mod codes;
mod conversations;
mod crud;
mod directory;
mod dispatch;
mod flows;
mod groups;
mod live;
mod notifications;
mod offers;
mod provider_webhooks;
mod ratings;
mod record;
mod session_tickets;
mod sessions;
mod support;
mod tasks;
mod tickets;
mod video_sessions;
mod webhooks;

use crate::openapi::Resource;

/// All routes.
pub fn all() -> Vec<Resource> {
    vec![
        sessions::resource(),
        tickets::resource(),
        attachments::resource(),
        offers::resource(),
        dispatch::resource(),
        conversations::resource(),
        ratings::resource(),
        video_sessions::resource(),
        tasks::resource(),
        calendar::resource(),
        support::resource(),
        notifications::resource(),
        webhooks::resource(),
        live::resource(),
        flows::resource(),
        groups::resource(),
        directory::organisation(),
        directory::employees::resource(),
        directory::departments::resource(),
        directory::teams::resource(),
        directory::meta_teams::resource(),
        directory::customers::resource(),
        directory::customer_users::resource(),
        directory::devices::resource(),
        directory::templates::resource(),
        codes::resource(),
    ]
}

/// Makes a call to a service: the client's method, the message; a failure becomes a problem.
macro_rules! ask {
    ($call:expr, $client:ident . $method:ident ( $message:expr )) => {
        $call
            .gateway
            .upstreams
            .$client()
            .$method($call.request($message))
            .await
            .map_err(|status| $call.problem(status))?
            .into_inner()
    };
}
pub(crate) use ask;

/// The name of an RPC of a service.
macro_rules! rpc {
    ($service:literal, $method:literal) => {
        concat!("callboard.", $service, "/", $method)
    };
}
pub(crate) use rpc;
