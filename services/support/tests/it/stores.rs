//! What is written is what is read.

use callboard_journal::{JournalOptions, MemJournal};
use callboard_kernel::{Actor, EventId, Principal};
use callboard_stage::{Organisation, comes_back, fresh_journal, id};
use callboard_support::store::TicketMapping;
use callboard_support_domain::ticket::{Matter, Standing, TicketCommand};
use callboard_support_domain::{Decision, Kind, Priority, Status};

/// A life with everything in it that is stored.
fn commands() -> Vec<(Principal, TicketCommand)> {
    let people = Organisation::new();
    let (system, agent) = (people.system(), people.member());
    let standing = Standing { is_agent: true };
    let matter = Matter {
        kind: Kind::DomainApproval,
        title: "partner.example".into(),
        text: "Bitte".into(),
        person_id: "p".into(),
        person_name: "Pia".into(),
        person_email: "pia@partner.example".into(),
        account_id: "a".into(),
        account_name: "Partner".into(),
        plan: "gold".into(),
        domain: Some("partner.example".into()),
        requester: Some(Actor::CustomerUser(id().into())),
    };
    let receive =
        || TicketCommand::Receive { event: EventId(id()), matter: Box::new(matter.clone()), listed: false };
    vec![
        (system.clone(), receive()),
        (system.clone(), receive()),
        (agent.clone(), TicketCommand::AddNote(standing, "hm".into())),
        (agent.clone(), TicketCommand::SetPriority(standing, Priority::High)),
        (agent.clone(), TicketCommand::Decide(standing, Decision::Cleared)),
        (agent.clone(), TicketCommand::AddComment(standing, "done".into())),
        (agent.clone(), TicketCommand::SetStatus(standing, Status::Closed)),
        (agent, TicketCommand::Assign { standing, to: None, is_agent: false }),
    ]
}

#[tokio::test]
async fn a_ticket_comes_back_from_memory() {
    let journal = MemJournal::new(JournalOptions::new("support"));
    comes_back(&journal.store(TicketMapping), commands(), |state| state).await;
}

#[tokio::test]
async fn a_ticket_comes_back_from_postgres() {
    let (journal, _database) = fresh_journal(callboard_support::definition()).await;
    comes_back(&journal.store(TicketMapping), commands(), |state| state).await;
}
