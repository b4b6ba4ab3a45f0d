//! The services behind the gateway. A context is added here, by its entry in [`upstreams!`], and with its address in
//! `config.default.toml`; all else follows: settings, clients, the gRPC pass-through, health and reflection.

use std::collections::BTreeMap;

use callboard_kernel::Refusal;
use tonic::transport::Channel;

use crate::retry::Retrying;

/// Defines the contexts: a field with the channel of each, and a client for each of its services.
macro_rules! upstreams {
    ($($(#[$about:meta])* $context:ident { $($(#[$doc:meta])* $client:ident: $module:ident::$type:ident of $service:ident),* $(,)? })*) => {
        /// The contexts behind the gateway.
        pub const CONTEXTS: &[&str] = &[$(stringify!($context)),*];

        /// The gRPC services that are reached through the gateway, by full name.
        pub const SERVICES: &[&str] =
            &[$($(concat!("callboard.", stringify!($context), ".v1.", stringify!($service))),*),*];

        /// One channel for each context: connects when needed, notices dead connections, is shared by all requests.
        #[derive(Debug, Clone)]
        pub struct Upstreams {
            $($context: Retrying),*
        }

        impl Upstreams {
            /// Connects to nothing yet. Settings that name all contexts are taken as checked.
            ///
            /// # Errors
            /// When an address is malformed or missing.
            pub fn new(addresses: &BTreeMap<String, String>) -> Result<Self, Refusal> {
                Ok(Self { $($context: connect(addresses, stringify!($context))?),* })
            }

            /// The channel of a context by its name; it tries once.
            pub fn channel(&self, context: &str) -> Option<Channel> {
                match context {
                    $(stringify!($context) => Some(self.$context.channel()),)*
                    _ => None,
                }
            }

            $($(
                $(#[$doc])*
                pub fn $client(&self) -> callboard_proto::$context::v1::$module::$type<Retrying> {
                    callboard_proto::$context::v1::$module::$type::new(self.$context.clone())
                }
            )*)*
        }
    };
}

upstreams! {
    directory {
        /// People, teams, customers, devices, templates.
        directory: directory_service_client::DirectoryServiceClient of DirectoryService,
        /// Codes.
        codes: code_service_client::CodeServiceClient of CodeService,
        /// Getting in.
        sessions: session_service_client::SessionServiceClient of SessionService,
    }
    tickets {
        /// Tickets.
        tickets: ticket_service_client::TicketServiceClient of TicketService,
        /// Creation flows.
        flows: flow_service_client::FlowServiceClient of FlowService,
        /// Files of tickets.
        ticket_files: attachment_service_client::AttachmentServiceClient of AttachmentService,
    }
    fleet {
        /// Offers and assignments.
        fleet: fleet_service_client::FleetServiceClient of FleetService,
        /// Groups.
        groups: group_service_client::GroupServiceClient of GroupService,
    }
    ratings {
        /// Ratings.
        ratings: rating_service_client::RatingServiceClient of RatingService,
    }
    support {
        /// The support desk.
        support: support_service_client::SupportServiceClient of SupportService,
    }
    messenger {
        /// Conversations.
        messenger: messenger_service_client::MessengerServiceClient of MessengerService,
        /// Files of messages.
        message_files: attachment_service_client::AttachmentServiceClient of AttachmentService,
    }
    tasks {
        /// Definitions, device events, tasks.
        tasks: task_service_client::TaskServiceClient of TaskService,
        /// The calendar.
        calendar: calendar_service_client::CalendarServiceClient of CalendarService,
        /// Files of definitions' steps.
        task_files: attachment_service_client::AttachmentServiceClient of AttachmentService,
    }
    notifications {
        /// Drawers, preferences, browsers, deliveries.
        notifications: notification_service_client::NotificationServiceClient of NotificationService,
        /// Notification groups.
        notification_groups: group_service_client::GroupServiceClient of GroupService,
        /// Addresses, and links in e-mails.
        addresses: address_service_client::AddressServiceClient of AddressService,
        /// Webhooks.
        webhooks: webhook_service_client::WebhookServiceClient of WebhookService,
    }
    video {
        /// Video sessions, their calls, session flows.
        video: video_service_client::VideoServiceClient of VideoService,
        /// Recordings and screenshots.
        session_files: attachment_service_client::AttachmentServiceClient of AttachmentService,
    }
}

fn connect(addresses: &BTreeMap<String, String>, context: &str) -> Result<Retrying, Refusal> {
    let address = addresses.get(context).map(String::as_str).unwrap_or_default();
    callboard_service::client::channel(address).map(Retrying::new)
}

/// The context of a gRPC service or path: `callboard.tickets.v1.TicketService/GetTicket` is of `tickets`.
pub fn context_of(name: &str) -> Option<&str> {
    let mut parts = name.strip_prefix("callboard.")?.splitn(3, '.');
    let (context, version, _service) = (parts.next()?, parts.next()?, parts.next()?);
    (version == "v1").then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_read_off_the_name() {
        assert_eq!(context_of("callboard.tickets.v1.TicketService/GetTicket"), Some("tickets"));
        assert_eq!(context_of("callboard.tickets.v2.TicketService/GetTicket"), None);
        assert_eq!(context_of("grpc.health.v1.Health/Check"), None);
    }

    #[test]
    fn every_service_of_the_contracts_is_passed_through() {
        let pool = prost_reflect::DescriptorPool::decode(callboard_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut known: Vec<String> = pool
            .services()
            .map(|service| service.full_name().to_owned())
            .filter(|name| context_of(name).is_some_and(|context| CONTEXTS.contains(&context)))
            .collect();
        known.sort();
        let mut passed = SERVICES.to_vec();
        passed.sort_unstable();
        assert_eq!(known, passed);
    }
}
