//! Join links of video sessions (M-7).

use callboard_proto::messenger::v1 as proto;
use callboard_proto::tickets::v1 as tickets;
use callboard_proto::video::v1 as video;
use callboard_stage::id;
use callboard_testkit::{PATIENCE, eventually};
use uuid::Uuid;

use crate::house::House;

impl House {
    /// An employee makes a session from a ticket's conversation, or elsewhere.
    async fn session(&self, ticket: &str) -> Uuid {
        let session = id();
        let facts = video::SessionFacts {
            session_id: session.to_string(),
            organisation_id: self.people.id.to_string(),
            conversation_ticket_id: ticket.to_owned(),
            ..video::SessionFacts::default()
        };
        let join_url = format!("https://desk.example/call/{session}");
        let created = video::SessionCreated { session: Some(facts), join_url };
        self.stage.publish(self.people.id, session, 1, &created).await;
        session
    }
}

#[tokio::test]
async fn m_7_a_session_made_from_a_conversation_posts_its_join_link_also_before_the_ticket_is_heard_of() {
    let house = House::new().await;
    let facts = house.people.ticket_facts(id());
    let key: Uuid = facts.ticket_id.parse().expect("an id");
    // Made elsewhere: nothing to post.
    house.session("").await;
    // The video context has heard of the ticket already, the messenger not.
    let session = house.session(&facts.ticket_id).await;
    let opened = tickets::TicketOpened { ticket: Some(facts.clone()) };
    house.stage.publish(house.people.id, key, 1, &opened).await;
    let visitor = house.people.code_user(facts.device_id.parse().expect("an id"));
    let boss = house.people.moderator();
    eventually("the conversation opens", PATIENCE, || house.conversation(&boss, &facts.ticket_id)).await;
    let message = eventually("the join link", PATIENCE, || async {
        let found = house.all(&visitor, &facts.ticket_id).await;
        found.into_values().next().ok_or(())
    })
    .await;
    assert_eq!(message.kind(), proto::MessageKind::JoinLink);
    assert_eq!(message.session_id, session.to_string());
    let link = format!("https://desk.example/call/{session}");
    assert_eq!((message.text.as_str(), message.links[0].url.as_str()), (link.as_str(), link.as_str()));
    assert!(message.html.contains(&format!("href=\"{link}\"")), "{}", message.html);
    assert!(!message.may_edit);
    assert_eq!(house.all(&boss, &facts.ticket_id).await.len(), 1, "once per session");
    house.stage.stop().await;
}
