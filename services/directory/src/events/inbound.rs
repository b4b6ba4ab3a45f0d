//! What the directory does when it hears itself: what was removed is dropped wherever it is named.

use std::sync::Arc;

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_directory_domain::code::Command as CodeCommand;
use callboard_directory_domain::{Action, Command, Facts, MetaTeamId, Reference, TeamId};
use callboard_proto::Event as _;
use callboard_proto::directory::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::directory::{Directory, Records};
use crate::store::read::{self, Filter};
use crate::store::{ReadError, Stored};

/// The durable consumer's name.
pub const CONSUMER: &str = "directory-references";

/// Takes the directory's own events.
#[derive(Debug)]
pub struct References(pub Arc<Directory>);

fn retry(error: ReadError) -> HandleError {
    match error {
        ReadError::Corrupt(_) => HandleError::Poison(error.to_string()),
        _ => HandleError::Retry(error.to_string()),
    }
}

impl References {
    async fn each<E: Stored>(
        &self,
        reaction: Reaction<'_>,
        registry: &Records<E>,
        ids: Result<Vec<Uuid>, ReadError>,
        action: Action<E>,
    ) -> Result<(), HandleError> {
        for id in ids.map_err(retry)? {
            let command = Command { id, action: action.clone(), facts: Facts::default() };
            reaction.give(registry, id, command).await?;
        }
        Ok(())
    }

    async fn team_removed(&self, reaction: Reaction<'_>) -> Result<(), HandleError> {
        let removed: proto::TeamRemoved = decode(reaction.event)?;
        let team: Uuid = event_id("team_id", &removed.team_id)?;
        let (directory, organisation) = (&self.0, reaction.event.organisation);
        let gone = Reference::Team(TeamId(team));
        let members = Filter::Shares("team_ids", vec![team]);
        let found = read::ids(&directory.pool, "employee", organisation, members.clone()).await;
        self.each(reaction, &directory.employees, found, Action::Forget(gone.clone())).await?;
        let found = read::ids(&directory.pool, "meta_team", organisation, members).await;
        self.each(reaction, &directory.meta_teams, found, Action::Forget(gone.clone())).await?;
        let found = read::customers_served(&directory.pool, organisation, None, Some(team)).await;
        self.each(reaction, &directory.customers, found, Action::Forget(gone)).await
    }

    /// A customer is served by a team that the meta team no longer has: nobody serves it then.
    async fn meta_team_changed(&self, reaction: Reaction<'_>) -> Result<(), HandleError> {
        let changed: proto::MetaTeamChanged = decode(reaction.event)?;
        let meta: Uuid = event_id("meta_team_id", &changed.meta_team_id)?;
        let teams = changed.team_ids.iter().map(|id| event_id::<Uuid>("team_ids", id).map(TeamId));
        let left = Reference::ServingTeams(MetaTeamId(meta), teams.collect::<Result<_, _>>()?);
        let found = read::customers_served(&self.0.pool, reaction.event.organisation, Some(meta), None).await;
        self.each(reaction, &self.0.customers, found, Action::Forget(left)).await
    }

    async fn meta_team_removed(&self, reaction: Reaction<'_>) -> Result<(), HandleError> {
        let removed: proto::MetaTeamRemoved = decode(reaction.event)?;
        let meta: Uuid = event_id("meta_team_id", &removed.meta_team_id)?;
        let gone = Reference::MetaTeam(MetaTeamId(meta));
        let found = read::customers_served(&self.0.pool, reaction.event.organisation, Some(meta), None).await;
        self.each(reaction, &self.0.customers, found, Action::Forget(gone)).await
    }

    /// A company's logins go with it.
    async fn customer_removed(&self, reaction: Reaction<'_>) -> Result<(), HandleError> {
        let removed: proto::CustomerRemoved = decode(reaction.event)?;
        let customer = removed.customer.unwrap_or_default();
        let id: Uuid = event_id("customer_id", &customer.customer_id)?;
        let of = Filter::AnyOf("customer_id", vec![id]);
        let found = read::ids(&self.0.pool, "customer_user", reaction.event.organisation, of).await;
        self.each(reaction, &self.0.customer_users, found, Action::Delete).await
    }

    /// Its codes lead nowhere now.
    async fn device_removed(&self, reaction: Reaction<'_>) -> Result<(), HandleError> {
        let removed: proto::DeviceRemoved = decode(reaction.event)?;
        let device: Uuid = event_id("device_id", &removed.device.unwrap_or_default().device_id)?;
        let of = Filter::AnyOf("device_id", vec![device]);
        for id in read::ids(&self.0.pool, "code", reaction.event.organisation, of).await.map_err(retry)? {
            reaction.give(&self.0.codes, id, CodeCommand::Abandon(device.into())).await?;
        }
        Ok(())
    }
}

impl Handler for References {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(async move {
            let reaction = Reaction { consumer: CONSUMER, event };
            match event.kind.as_str() {
                proto::TeamRemoved::TYPE => self.team_removed(reaction).await?,
                proto::MetaTeamChanged::TYPE => self.meta_team_changed(reaction).await?,
                proto::MetaTeamRemoved::TYPE => self.meta_team_removed(reaction).await?,
                proto::CustomerRemoved::TYPE => self.customer_removed(reaction).await?,
                proto::DeviceRemoved::TYPE => self.device_removed(reaction).await?,
                _ => return Ok(Handled::Ignored),
            }
            Ok(Handled::Done)
        })
    }
}
