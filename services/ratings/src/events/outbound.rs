//! What others hear of ratings. Comments stay home.

use callboard_actor::Step;
use callboard_bus::Event;
use callboard_proto::ratings::v1 as proto;
use callboard_ratings_domain::request::{RequestEvent, Subject};
use callboard_ratings_domain::switches::SwitchSetEvent;
use callboard_ratings_domain::{RatingRequest, SwitchSet};
use callboard_service::convert::to_proto_actor;
use callboard_service::outbound;

use crate::convert;

/// The events of a rating's step.
///
/// # Errors
/// A rating without a subject, which no decision makes.
pub fn of_request(step: &Step<'_, RatingRequest>) -> Result<Vec<Event>, String> {
    let mut events = Vec::new();
    for event in step.events {
        let index = events.len();
        let rating = || step.after.subject.as_deref().map(|subject| facts(step, subject));
        let told = match event {
            // Their contexts have told these themselves.
            RequestEvent::Observed { .. } | RequestEvent::Deleted => continue,
            RequestEvent::Requested { .. } => {
                outbound(step.meta, index, &proto::RatingRequested { rating: rating() })
            }
            RequestEvent::Waived => outbound(step.meta, index, &proto::RatingWaived { rating: rating() }),
            RequestEvent::Withdrawn => {
                outbound(step.meta, index, &proto::RatingWithdrawn { rating: rating() })
            }
            RequestEvent::Submitted { given, previous_score } => {
                let message = proto::RatingSubmitted {
                    rating: rating(),
                    score: given.score,
                    previous_score: *previous_score,
                    author: Some(to_proto_actor(given.author)),
                };
                outbound(step.meta, index, &message)
            }
        };
        if step.after.subject.is_none() {
            return Err("a rating without a subject".to_owned());
        }
        events.push(told);
    }
    Ok(events)
}

fn facts(step: &Step<'_, RatingRequest>, subject: &Subject) -> proto::RatingFacts {
    proto::RatingFacts {
        subject_kind: convert::kind(subject.kind).into(),
        subject_id: step.meta.aggregate_id.to_string(),
        organisation_id: step.meta.principal.organisation.to_string(),
        device_id: subject.device.to_string(),
        template_id: subject.template.to_string(),
        customer_id: subject.customer.map(|customer| customer.to_string()).unwrap_or_default(),
        involved_employee_ids: subject.involved.iter().map(ToString::to_string).collect(),
        done_round: subject.done_round,
    }
}

/// The events of switches' step.
pub fn of_switches(step: &Step<'_, SwitchSet>) -> Vec<Event> {
    let template = step.meta.aggregate_id.into();
    let switches = |switches| convert::switches(template, switches, step.meta.version);
    step.events
        .iter()
        .enumerate()
        .map(|(index, SwitchSetEvent::Changed { change, previous, .. })| {
            let message = proto::SwitchesChanged {
                organisation_id: step.meta.principal.organisation.to_string(),
                switches: Some(switches(change.switches)),
                previous: Some(proto::Switches { etag: String::new(), ..switches(*previous) }),
            };
            outbound(step.meta, index, &message)
        })
        .collect()
}
