//! A running messenger, the contexts it listens to, and people who talk.

use std::collections::BTreeMap;

use callboard_kernel::{Principal, Subject};
use callboard_messenger::definition;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::messenger::v1 as proto;
use callboard_proto::messenger::v1::messenger_service_client::MessengerServiceClient;
use callboard_proto::messenger::v1::watch_response::Event;
use callboard_proto::tickets::v1 as tickets;
use callboard_stage::{Organisation, Stage, id, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use uuid::Uuid;

pub struct House {
    pub stage: Stage,
    pub people: Organisation,
}

/// A ticket as the messenger hears of it.
#[derive(Clone)]
pub struct Told {
    pub facts: tickets::TicketFacts,
    pub version: i64,
}

impl Told {
    pub fn id(&self) -> &str {
        &self.facts.ticket_id
    }
    pub fn key(&self) -> Uuid {
        self.facts.ticket_id.parse().expect("an id")
    }
    pub fn device(&self) -> Uuid {
        self.facts.device_id.parse().expect("an id")
    }
}

impl House {
    pub async fn new() -> Self {
        Self::with(|stage| stage).await
    }

    pub async fn with(
        set: impl FnOnce(callboard_stage::StageBuilder) -> callboard_stage::StageBuilder,
    ) -> Self {
        let stage = Stage::of(definition(), &["directory", "tickets", "fleet", "video"]);
        Self { stage: set(stage).start().await, people: Organisation::new() }
    }

    pub fn service(&self) -> MessengerServiceClient<Channel> {
        MessengerServiceClient::new(self.stage.channel())
    }

    /// A new open public ticket with its conversation.
    pub async fn ticket(&self) -> Told {
        let mut told = Told { facts: self.people.ticket_facts(id()), version: 0 };
        let message = tickets::TicketOpened { ticket: Some(told.facts.clone()) };
        told.version = 1;
        self.stage.publish(self.people.id, told.key(), 1, &message).await;
        let boss = self.people.moderator();
        eventually("the conversation opens", PATIENCE, || self.conversation(&boss, told.id())).await;
        told
    }

    /// Somebody is involved, and the messenger knows.
    pub async fn involve(&self, ticket: &Told, version: i64, who: &[&Principal]) {
        let ids: Vec<String> = who
            .iter()
            .map(|who| match &who.subject {
                Subject::Employee(employee) => employee.id.to_string(),
                _ => panic!("an employee"),
            })
            .collect();
        let message = fleet::EmployeeAssigned {
            ticket_id: ticket.id().to_owned(),
            organisation_id: self.people.id.to_string(),
            assigned_employee_ids: ids.clone(),
            ..Default::default()
        };
        self.stage.publish(self.people.id, ticket.key(), version, &message).await;
        let boss = self.people.moderator();
        eventually("they are involved", PATIENCE, || async {
            let found = self.conversation(&boss, ticket.id()).await.map_err(|status| status.to_string())?;
            if found.involved_employee_ids == ids { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }

    /// The ticket has another status and visibility, and the messenger knows.
    pub async fn turn(&self, ticket: &mut Told, status: tickets::TicketStatus, internal: bool) {
        let visibility = if internal { tickets::Visibility::Internal } else { tickets::Visibility::Public };
        ticket.version += 1;
        ticket.facts.status = status.into();
        ticket.facts.visibility = visibility.into();
        let message =
            tickets::TicketVisibilityChanged { ticket: Some(ticket.facts.clone()), ..Default::default() };
        self.stage.publish(self.people.id, ticket.key(), ticket.version, &message).await;
        let boss = self.people.moderator();
        let ended = matches!(status, tickets::TicketStatus::Closed | tickets::TicketStatus::Cancelled);
        eventually("it has turned", PATIENCE, || async {
            let found = self.conversation(&boss, ticket.id()).await.map_err(|status| status.to_string())?;
            let locked = found.lock() == proto::LockState::Outsiders;
            if (found.internal, locked) == (internal, ended) { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }

    pub async fn conversation(&self, who: &Principal, id: &str) -> Result<proto::Conversation, Status> {
        let request = proto::GetConversationRequest { conversation_id: id.into(), messages: 0 };
        let answer = self.service().get_conversation(signed(who, request)).await?;
        Ok(answer.into_inner().conversation.expect("a conversation"))
    }

    pub async fn send_as(
        &self,
        who: &Principal,
        id: &str,
        client_id: &str,
        text: &str,
    ) -> Result<proto::Message, Status> {
        let request = proto::SendMessageRequest {
            request_id: request_id(),
            conversation_id: id.into(),
            client_id: client_id.into(),
            text: text.into(),
            attachment_ids: vec![],
        };
        let answer = self.service().send_message(signed(who, request)).await?;
        Ok(answer.into_inner().message.expect("a message"))
    }

    pub async fn send(&self, who: &Principal, id: &str, text: &str) -> Result<proto::Message, Status> {
        self.send_as(who, id, "", text).await
    }

    pub async fn edit(
        &self,
        who: &Principal,
        id: &str,
        sequence: i64,
        text: &str,
        etag: &str,
    ) -> Result<proto::Message, Status> {
        let request = proto::EditMessageRequest {
            request_id: request_id(),
            conversation_id: id.into(),
            sequence,
            text: text.into(),
            etag: etag.into(),
        };
        let answer = self.service().edit_message(signed(who, request)).await?;
        Ok(answer.into_inner().message.expect("a message"))
    }

    pub async fn withdraw(&self, who: &Principal, id: &str, sequence: i64) -> Result<proto::Message, Status> {
        let request = proto::WithdrawMessageRequest {
            request_id: request_id(),
            conversation_id: id.into(),
            sequence,
            etag: String::new(),
        };
        let answer = self.service().withdraw_message(signed(who, request)).await?;
        Ok(answer.into_inner().message.expect("a message"))
    }

    pub async fn mark_read(&self, who: &Principal, id: &str, sequence: i64) -> Result<i64, Status> {
        let request =
            proto::MarkReadRequest { request_id: request_id(), conversation_id: id.into(), sequence };
        let answer = self.service().mark_read(signed(who, request)).await?;
        Ok(answer.into_inner().marker.map_or(0, |marker| marker.sequence))
    }

    pub async fn typing(&self, who: &Principal, id: &str) -> Result<(), Status> {
        let request = proto::SetTypingRequest { conversation_id: id.into(), typing: true };
        self.service().set_typing(signed(who, request)).await.map(drop)
    }

    /// All messages, by sequence: what the server has.
    pub async fn all(&self, who: &Principal, id: &str) -> BTreeMap<i64, proto::Message> {
        let mut found = BTreeMap::new();
        let mut page_token = String::new();
        loop {
            let request = proto::ListMessagesRequest { conversation_id: id.into(), page_size: 7, page_token };
            let page = self.service().list_messages(signed(who, request)).await.expect("a page").into_inner();
            found.extend(page.messages.into_iter().map(|message| (message.sequence, message)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    }

    pub async fn watch(
        &self,
        who: &Principal,
        id: &str,
        after_position: i64,
    ) -> Result<Streaming<proto::WatchResponse>, Status> {
        let request = proto::WatchRequest { conversation_id: id.into(), after_position, history: 0 };
        self.service().watch(signed(who, request)).await.map(tonic::Response::into_inner)
    }
}

/// What comes next on a stream.
pub async fn next(stream: &mut Streaming<proto::WatchResponse>) -> Result<proto::WatchResponse, Status> {
    let next = tokio::time::timeout(PATIENCE, stream.message()).await.expect("something comes");
    next.map(|next| next.expect("no end without a word"))
}

/// Reads a stream until something comes that is wanted.
pub async fn until<T>(
    stream: &mut Streaming<proto::WatchResponse>,
    mut wanted: impl FnMut(&proto::WatchResponse) -> Option<T>,
) -> T {
    loop {
        let response = next(stream).await.expect("it goes on");
        if let Some(found) = wanted(&response) {
            return found;
        }
    }
}

/// Where everything that is there has come.
pub fn caught_up(response: &proto::WatchResponse) -> Option<i64> {
    matches!(response.event, Some(Event::CaughtUp(_))).then_some(response.position)
}

/// The text of a message that came.
pub fn text(response: &proto::WatchResponse) -> Option<String> {
    match &response.event {
        Some(Event::Message(message)) => Some(message.text.clone()),
        _ => None,
    }
}
