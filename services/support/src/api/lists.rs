//! From a request for a list to a filter and an order (S-5).

use callboard_kernel::{FieldViolation, Refusal, Timestamp};
use callboard_proto::support::v1 as proto;
use callboard_service::convert::from_proto_time;
use uuid::Uuid;

use crate::convert::{from_decision, from_kind, from_priority, from_status};
use crate::store::{Filter, Order};

/// The most values of one condition.
const MAX_VALUES: usize = 100;
/// Longest text to search for, in characters.
const MAX_TEXT: usize = 200;

/// Enum values of a request; what is unknown or unspecified is named.
pub(super) fn words<P: TryFrom<i32>, D>(
    field: &str,
    numbers: &[i32],
    from: fn(P) -> Option<D>,
    violations: &mut Vec<FieldViolation>,
) -> Vec<D> {
    limit(field, numbers, violations);
    let mut words = Vec::new();
    for (index, number) in numbers.iter().take(MAX_VALUES).enumerate() {
        match P::try_from(*number).ok().and_then(from) {
            Some(word) => words.push(word),
            None => {
                violations.push(FieldViolation::new(format!("{field}[{index}]"), "must be a known value"))
            }
        }
    }
    words
}

fn limit<T>(field: &str, values: &[T], violations: &mut Vec<FieldViolation>) {
    if values.len() > MAX_VALUES {
        violations.push(FieldViolation::new(field, format!("at most {MAX_VALUES} values")));
    }
}

/// The filter and order of a request. `me`: whose "mine" it is.
///
/// # Errors
/// Names every wrong field.
pub fn read(request: &proto::ListTicketsRequest, me: Uuid) -> Result<(Filter, Order), Refusal> {
    let mut violations = Vec::new();
    let wrong = &mut violations;
    let mut filter = Filter {
        kinds: words("types", &request.types, from_kind, wrong),
        statuses: words("statuses", &request.statuses, from_status, wrong),
        priorities: words("priorities", &request.priorities, from_priority, wrong),
        decisions: words("decisions", &request.decisions, from_decision, wrong),
        unassigned: request.unassigned,
        ..Filter::default()
    };
    limit("assignee_ids", &request.assignee_ids, wrong);
    for (index, id) in request.assignee_ids.iter().take(MAX_VALUES).enumerate() {
        match id.parse() {
            Ok(id) => filter.assignees.push(id),
            Err(_) => wrong.push(FieldViolation::new(format!("assignee_ids[{index}]"), "must be a UUID")),
        }
    }
    if request.mine {
        // All conditions hold at once: mine, and of these.
        filter.assignees.retain(|id| *id == me);
        if filter.assignees.is_empty() {
            let nobody = if request.assignee_ids.is_empty() { me } else { Uuid::nil() };
            filter.assignees.push(nobody);
        }
    }
    for (field, values, into) in [
        ("account_ids", &request.account_ids, &mut filter.accounts),
        ("plans", &request.plans, &mut filter.plans),
    ] {
        limit(field, values, wrong);
        if values.iter().any(|value| value.is_empty() || value.chars().count() > 200) {
            wrong.push(FieldViolation::new(field, "each 1 to 200 characters"));
        }
        into.clone_from(values);
    }
    let mut moment = |field: &str, time: Option<&prost_types::Timestamp>| -> Option<Timestamp> {
        from_proto_time(field, time?).map_err(|violation| violations.push(violation)).ok()
    };
    let created = request.created.as_ref();
    filter.created = (
        created.and_then(|range| moment("created.start", range.start.as_ref())),
        created.and_then(|range| moment("created.end", range.end.as_ref())),
    );
    let text = request.text.trim();
    if text.chars().count() > MAX_TEXT || text.contains('\0') {
        violations.push(FieldViolation::new("text", format!("at most {MAX_TEXT} characters")));
    } else if !text.is_empty() {
        filter.text = Some(text.to_owned());
    }
    let order = match proto::TicketOrder::try_from(request.order) {
        Ok(proto::TicketOrder::Unspecified) => Order::Created(true),
        Ok(proto::TicketOrder::CreatedAscending) => Order::Created(false),
        Ok(proto::TicketOrder::UpdatedDescending) => Order::Updated,
        Ok(proto::TicketOrder::Priority) => Order::Priority,
        Ok(proto::TicketOrder::Status) => Order::Status,
        Ok(proto::TicketOrder::Title) => Order::Title,
        Ok(proto::TicketOrder::Type) => Order::Kind,
        Ok(proto::TicketOrder::Account) => Order::Account,
        Err(_) => {
            violations.push(FieldViolation::new("order", "must be a known order"));
            Order::Created(true)
        }
    };
    if violations.is_empty() { Ok((filter, order)) } else { Err(Refusal::fields(violations)) }
}
