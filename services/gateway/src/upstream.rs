//! Channels to the services behind the gateway.

use std::time::Duration;

use callboard_proto::directory::v1::code_service_client::CodeServiceClient;
use callboard_proto::directory::v1::directory_service_client::DirectoryServiceClient;
use callboard_proto::directory::v1::session_service_client::SessionServiceClient;
use callboard_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use callboard_proto::fleet::v1::group_service_client::GroupServiceClient;
use callboard_proto::ratings::v1::rating_service_client::RatingServiceClient;
use callboard_proto::tickets::v1::flow_service_client::FlowServiceClient;
use callboard_proto::tickets::v1::ticket_service_client::TicketServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::config::UpstreamSettings;

/// The contexts behind the gateway, in the order of [`UpstreamSettings::all`].
pub const CONTEXTS: [&str; 4] = ["directory", "tickets", "fleet", "ratings"];

/// One channel for each service: connects when needed, notices dead connections, is shared by all requests.
#[derive(Debug, Clone)]
pub struct Upstreams {
    channels: [Channel; 4],
}

impl Upstreams {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When an address is malformed.
    pub fn new(settings: &UpstreamSettings) -> Result<Self, tonic::transport::Error> {
        let [(_, directory), (_, tickets), (_, fleet), (_, ratings)] = settings.all();
        Ok(Self { channels: [channel(directory)?, channel(tickets)?, channel(fleet)?, channel(ratings)?] })
    }

    /// The channel of a context by its name.
    pub fn channel(&self, context: &str) -> Option<Channel> {
        let index = CONTEXTS.iter().position(|name| *name == context)?;
        Some(self.channels[index].clone())
    }

    /// People, teams, customers, devices, templates.
    pub fn directory(&self) -> DirectoryServiceClient<Channel> {
        DirectoryServiceClient::new(self.channels[0].clone())
    }

    /// Codes.
    pub fn codes(&self) -> CodeServiceClient<Channel> {
        CodeServiceClient::new(self.channels[0].clone())
    }

    /// Getting in.
    pub fn sessions(&self) -> SessionServiceClient<Channel> {
        SessionServiceClient::new(self.channels[0].clone())
    }

    /// Tickets.
    pub fn tickets(&self) -> TicketServiceClient<Channel> {
        TicketServiceClient::new(self.channels[1].clone())
    }

    /// Creation flows.
    pub fn flows(&self) -> FlowServiceClient<Channel> {
        FlowServiceClient::new(self.channels[1].clone())
    }

    /// Offers and assignments.
    pub fn fleet(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.channels[2].clone())
    }

    /// Groups.
    pub fn groups(&self) -> GroupServiceClient<Channel> {
        GroupServiceClient::new(self.channels[2].clone())
    }

    /// Ratings.
    pub fn ratings(&self) -> RatingServiceClient<Channel> {
        RatingServiceClient::new(self.channels[3].clone())
    }
}

/// A connection that died with its network stays dead for hours unless it is asked.
fn channel(address: &str) -> Result<Channel, tonic::transport::Error> {
    Ok(Endpoint::from_shared(address.to_owned())?
        .connect_timeout(Duration::from_secs(2))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .http2_adaptive_window(true)
        .connect_lazy())
}
