//! The flows of one template, as one aggregate: their order and their number are rules over all of them.

use callboard_kernel::{
    Aggregate, DecisionContext, ErrorKind, FieldViolation, OrganisationId, Rejection as Refuses, Subject,
};

use crate::{Flow, FlowId, MAX_FLOWS, may_edit_flows};

/// The flows of a template. Its id is the template's.
#[derive(Debug)]
pub enum FlowSetAggregate {}

/// What is known of a template's flows. A template nobody put a flow on has the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowSet {
    /// Whose they are; `None` before the first flow.
    pub organisation: Option<OrganisationId>,
    /// In order.
    pub flows: Vec<Flow>,
    /// True once the template was removed: nothing can be put any more.
    pub removed: bool,
}

impl FlowSet {
    /// The flow of this id.
    pub fn flow(&self, id: FlowId) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.id == id)
    }
}

/// What can be asked of a template's flows.
#[derive(Debug)]
pub enum FlowSetCommand {
    /// Creates a flow at the end, or replaces one in its place.
    Put(Flow),
    /// Removes a flow. Tickets made by it stay; drafts go on with the flow they began with.
    Delete(FlowId),
    /// The template was removed: its flows go.
    RemoveTemplate,
}

/// What can happen to a template's flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowSetEvent {
    /// A flow was created or replaced.
    Put(OrganisationId, Flow),
    /// A flow was removed.
    Deleted(FlowId),
    /// The template was removed and its flows with it.
    TemplateRemoved(OrganisationId),
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowSetRejection {
    /// No such template or flow, or one the caller may not see.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Only moderators and administrators edit flows.
    #[error("editing creation flows needs a moderator or administrator")]
    Denied,
    /// Rules that the flow breaks.
    #[error("the flow breaks {} rules", .0.len())]
    Fields(Vec<FieldViolation>),
    /// At most 50 flows in a template.
    #[error("a template has at most {MAX_FLOWS} flows")]
    TooMany,
}

impl Refuses for FlowSetRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::Denied => ErrorKind::PermissionDenied,
            Self::Fields(_) => ErrorKind::InvalidArgument,
            Self::TooMany => ErrorKind::FailedPrecondition,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NOT_FOUND",
            Self::Denied => "PERMISSION_DENIED",
            Self::Fields(_) => "INVALID_FIELDS",
            Self::TooMany => "TOO_MANY_FLOWS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Fields(violations) => violations.clone(),
            Self::NotFound(_) | Self::Denied | Self::TooMany => Vec::new(),
        }
    }
}

impl Aggregate for FlowSetAggregate {
    const KIND: &'static str = "flow_set";
    type State = FlowSet;
    type Command = FlowSetCommand;
    type Event = FlowSetEvent;
    type Rejection = FlowSetRejection;

    fn decide(
        state: &FlowSet,
        command: &FlowSetCommand,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<FlowSetEvent>, FlowSetRejection> {
        let organisation = context.principal.organisation;
        if state.organisation.is_some_and(|own| own != organisation) {
            return Err(FlowSetRejection::NotFound("template"));
        }
        if !may_edit_flows(context.principal) && context.principal.subject != Subject::System {
            return Err(FlowSetRejection::Denied);
        }
        match command {
            FlowSetCommand::RemoveTemplate if state.removed => Ok(Vec::new()),
            FlowSetCommand::RemoveTemplate => Ok(vec![FlowSetEvent::TemplateRemoved(organisation)]),
            FlowSetCommand::Put(_) | FlowSetCommand::Delete(_) if state.removed => {
                Err(FlowSetRejection::NotFound("template"))
            }
            FlowSetCommand::Put(flow) => {
                let violations = flow.violations();
                if !violations.is_empty() {
                    return Err(FlowSetRejection::Fields(violations));
                }
                match state.flow(flow.id) {
                    Some(same) if same == flow => Ok(Vec::new()),
                    None if state.flows.len() >= MAX_FLOWS => Err(FlowSetRejection::TooMany),
                    Some(_) | None => Ok(vec![FlowSetEvent::Put(organisation, flow.clone())]),
                }
            }
            FlowSetCommand::Delete(id) => match state.flow(*id) {
                Some(_) => Ok(vec![FlowSetEvent::Deleted(*id)]),
                None => Err(FlowSetRejection::NotFound("flow")),
            },
        }
    }

    fn evolve(state: &mut FlowSet, event: &FlowSetEvent) {
        match event {
            FlowSetEvent::Put(organisation, flow) => {
                state.organisation = Some(*organisation);
                match state.flows.iter_mut().find(|known| known.id == flow.id) {
                    Some(known) => *known = flow.clone(),
                    None => state.flows.push(flow.clone()),
                }
            }
            FlowSetEvent::Deleted(id) => state.flows.retain(|flow| flow.id != *id),
            FlowSetEvent::TemplateRemoved(organisation) => {
                state.organisation = Some(*organisation);
                state.flows.clear();
                state.removed = true;
            }
        }
    }
}
