//! Applies what happened.

use crate::{Answer, Event, Fact, Opening, State, Status, Ticket};

pub(super) fn evolve(state: &mut State, event: &Event) {
    if let Fact::Deleted = event.fact {
        *state = State::Gone;
        return;
    }
    if let Some(ticket) = created(event) {
        *state = State::Live(Box::new(ticket));
        return;
    }
    let State::Live(ticket) = state else { return };
    ticket.update_time = event.at;
    ticket.timeline += i64::from(event.fact.change().is_some());
    match &event.fact {
        Fact::Created { .. } | Fact::Deleted => {}
        Fact::Answered { step, value } => {
            ticket.answers.retain(|answer| answer.step != *step);
            if let Some(value) = value {
                ticket.answers.push(Answer { step: step.clone(), value: value.clone() });
            }
        }
        Fact::Opened(opening) => open(ticket, opening, event),
        Fact::StatusChanged { to, .. } => {
            ticket.status = *to;
            if *to == Status::Done {
                ticket.done_round += 1;
            }
        }
        Fact::VisibilityChanged { to, .. } => ticket.visibility = *to,
        Fact::PriorityChanged { to, .. } => ticket.priority = *to,
        Fact::TitleEdited { to, .. } => ticket.title.clone_from(to),
        Fact::DescriptionEdited { to, .. } => ticket.description.clone_from(to),
        Fact::Involved(employee) => ticket.involved.push(*employee),
        Fact::Uninvolved(employee) => ticket.involved.retain(|known| known != employee),
        Fact::Rated { to, round, .. } => {
            ticket.rating = Some(*to);
            ticket.rating_round = *round;
        }
        Fact::UpdatePosted(update) => ticket.updates = update.sequence,
    }
}

fn created(event: &Event) -> Option<Ticket> {
    let Fact::Created {
        id,
        organisation,
        device,
        place,
        flow,
        title,
        description,
        answers,
        visibility,
        priority,
        creator,
    } = &event.fact
    else {
        return None;
    };
    Some(Ticket {
        id: *id,
        organisation: *organisation,
        number: None,
        device: *device,
        place: place.clone(),
        flow: flow.as_ref().map(|flow| flow.id),
        group: flow.as_ref().and_then(|flow| flow.group),
        notification_group: flow.as_ref().and_then(|flow| flow.notification_group),
        draft_flow: flow.clone(),
        title: title.clone(),
        description: description.clone(),
        status: Status::Draft,
        visibility: *visibility,
        priority: *priority,
        answers: answers.clone(),
        words: String::new(),
        involved: Vec::new(),
        rating: None,
        rating_round: 0,
        done_round: 0,
        creator: *creator,
        create_time: event.at,
        update_time: event.at,
        open_time: None,
        updates: 0,
        timeline: 1,
    })
}

fn open(ticket: &mut Ticket, opening: &Opening, event: &Event) {
    ticket.number = Some(opening.number);
    ticket.title.clone_from(&opening.title);
    ticket.answers.clone_from(&opening.answers);
    ticket.words.clone_from(&opening.words);
    ticket.visibility = opening.visibility;
    ticket.place = opening.place.clone();
    ticket.status = Status::Open;
    ticket.draft_flow = None;
    ticket.open_time = Some(event.at);
}
