//! Lists: from a request to a filter, an order and a page (T-15, AIP-158).

use callboard_kernel::{FieldViolation, Principal, Refusal, Timestamp};
use callboard_proto::common::v1::TimeRange;
use callboard_proto::tickets::v1 as proto;
use callboard_service::convert::from_proto_time;
use uuid::Uuid;

use crate::convert::{from_proto_priority, from_proto_status, from_proto_visibility, word};
use crate::store::{Filter, Order, Text};

/// The most values of one condition.
const MAX_VALUES: usize = 100;
/// Longest text to search for.
const MAX_TEXT: usize = 200;

struct Reader {
    violations: Vec<FieldViolation>,
}

impl Reader {
    fn limit<T>(&mut self, field: &str, values: &[T]) -> bool {
        let fits = values.len() <= MAX_VALUES;
        if !fits {
            self.violations.push(FieldViolation::new(field, format!("at most {MAX_VALUES} values")));
        }
        fits
    }

    fn words<P: TryFrom<i32>, D>(
        &mut self,
        field: &str,
        numbers: &[i32],
        from: fn(P) -> Option<D>,
    ) -> Vec<D> {
        if !self.limit(field, numbers) {
            return Vec::new();
        }
        let mut words = Vec::with_capacity(numbers.len());
        for (index, number) in numbers.iter().enumerate() {
            match word(&format!("{field}[{index}]"), *number, from) {
                Ok(word) => words.push(word),
                Err(violation) => self.violations.push(violation),
            }
        }
        words
    }

    fn ids(&mut self, field: &str, texts: &[String]) -> Vec<Uuid> {
        if !self.limit(field, texts) {
            return Vec::new();
        }
        let mut ids = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            match text.parse() {
                Ok(id) => ids.push(id),
                Err(_) => {
                    self.violations.push(FieldViolation::new(format!("{field}[{index}]"), "must be a UUID"));
                }
            }
        }
        ids
    }

    fn span(&mut self, field: &str, range: Option<&TimeRange>) -> (Option<Timestamp>, Option<Timestamp>) {
        let Some(range) = range else { return (None, None) };
        let mut side = |name: &str, time: &Option<prost_types::Timestamp>| {
            let time = time.as_ref()?;
            match from_proto_time(&format!("{field}.{name}"), time) {
                Ok(time) => Some(time),
                Err(violation) => {
                    self.violations.push(violation);
                    None
                }
            }
        };
        let span = (side("start", &range.start), side("end", &range.end));
        if let (Some(start), Some(end)) = span
            && start > end
        {
            self.violations.push(FieldViolation::new(field, "start must not be after end"));
        }
        span
    }
}

/// The filter of a request. `mine` and `offered_to_me` of somebody who is no employee match nothing, which the second
/// value says.
///
/// # Errors
/// Every wrong field.
pub(super) fn filter(filter: &proto::TicketFilter, principal: &Principal) -> Result<(Filter, bool), Refusal> {
    let mut reader = Reader { violations: Vec::new() };
    let plain = filter.flow_ids.iter().any(|id| id == "plain");
    let flow_ids: Vec<String> = filter.flow_ids.iter().filter(|id| *id != "plain").cloned().collect();
    let mut flows: Vec<Option<Uuid>> =
        reader.ids("filter.flow_ids", &flow_ids).into_iter().map(Some).collect();
    if plain {
        flows.push(None);
    }
    if filter.ratings.len() > 6 || filter.ratings.iter().any(|rating| !(0..=5).contains(rating)) {
        reader.violations.push(FieldViolation::new("filter.ratings", "0 to 5, each once"));
    }
    let text = filter.text.trim();
    if text.chars().count() > MAX_TEXT || text.contains('\0') {
        reader.violations.push(FieldViolation::new("filter.text", format!("at most {MAX_TEXT} characters")));
    }
    let me = principal.employee().map(|employee| employee.id);
    let read = Filter {
        statuses: reader.words("filter.statuses", &filter.statuses, from_proto_status),
        visibilities: reader.words("filter.visibilities", &filter.visibilities, from_proto_visibility),
        priorities: reader.words("filter.priorities", &filter.priorities, from_proto_priority),
        flows,
        devices: reader.ids("filter.device_ids", &filter.device_ids),
        customers: reader.ids("filter.customer_ids", &filter.customer_ids),
        involved: reader.ids("filter.involved_employee_ids", &filter.involved_employee_ids),
        ratings: filter.ratings.clone(),
        created: reader.span("filter.created", filter.created.as_ref()),
        updated: reader.span("filter.updated", filter.updated.as_ref()),
        text: (!text.is_empty()).then(|| Text(text.to_owned())),
        mine: me.filter(|_| filter.mine),
        offered_to: me.filter(|_| filter.offered_to_me),
        unassigned: filter.unassigned,
    };
    if !reader.violations.is_empty() {
        return Err(Refusal::fields(reader.violations));
    }
    let impossible = me.is_none() && (filter.mine || filter.offered_to_me);
    Ok((read, impossible))
}

/// The order of a request.
///
/// # Errors
/// Names `order`.
pub(super) fn order(number: i32) -> Result<Order, Refusal> {
    use proto::TicketOrder;
    let order =
        TicketOrder::try_from(number).map_err(|_| Refusal::field("order", "one of the words of its enum"))?;
    Ok(match order {
        TicketOrder::Unspecified | TicketOrder::CreateTimeDesc => Order::Created(true),
        TicketOrder::CreateTimeAsc => Order::Created(false),
        TicketOrder::UpdateTimeDesc => Order::Updated(true),
        TicketOrder::UpdateTimeAsc => Order::Updated(false),
        TicketOrder::PriorityDesc => Order::Priority,
        TicketOrder::RatingDesc => Order::Rating,
        TicketOrder::NumberDesc => Order::Number(true),
        TicketOrder::NumberAsc => Order::Number(false),
    })
}
