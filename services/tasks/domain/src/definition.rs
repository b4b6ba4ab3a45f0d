//! What is done on devices of a template, again and again (K-1).

use callboard_kernel::{
    Aggregate, DecisionContext, ErrorKind, FieldViolation, Rejection, Subject, TemplateId, Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::StepId;
use crate::text::{
    MAX_ATTACHMENTS, MAX_STEP_ATTACHMENTS, MAX_STEPS, check_description, check_step, check_title,
};

/// One definition. Its id is the caller's.
#[derive(Debug)]
pub struct Definition;

/// A step of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which.
    pub id: StepId,
    /// 1 to 2,000 characters.
    pub text: String,
    /// What explains it: each once, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Uuid>,
}

/// What a definition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Never changes.
    pub template: TemplateId,
    /// 1 to 200 characters.
    pub title: String,
    /// At most 4,000 characters.
    pub description: String,
    /// In order, at most 100.
    pub steps: Vec<Step>,
}

/// What a [`Definition`] knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DefinitionState {
    /// What it says; `None`: not there, or removed.
    pub content: Option<Content>,
    /// It was removed; the id is not given again.
    pub removed: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it was changed last.
    pub updated_at: Option<Timestamp>,
}

/// What can be asked of a [`Definition`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefinitionCommand {
    /// Creates or replaces it. Moderators and administrators.
    Put(Content),
    /// Removes it. Moderators and administrators; the system, when the template is removed.
    Delete,
}

/// What can happen to a [`Definition`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefinitionEvent {
    /// It says this now.
    Put {
        /// What.
        content: Content,
        /// When.
        at: Timestamp,
    },
    /// It was removed.
    Deleted,
}

/// How a [`Definition`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionRejection {
    /// Neither moderator nor administrator.
    #[error("definitions are changed by moderators and administrators")]
    Denied,
    /// No such definition.
    #[error("no such definition")]
    Missing,
    /// Removed under this id before.
    #[error("the id was in use before: take another")]
    IdTaken,
    /// Wrong fields.
    #[error("invalid definition")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for DefinitionRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Denied => ErrorKind::PermissionDenied,
            Self::Missing => ErrorKind::NotFound,
            Self::IdTaken => ErrorKind::AlreadyExists,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Denied => "PERMISSION_DENIED",
            Self::Missing => "NOT_FOUND",
            Self::IdTaken => "ID_TAKEN",
            Self::Invalid(_) => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Denied | Self::Missing | Self::IdTaken => Vec::new(),
        }
    }
}

fn check(state: &DefinitionState, content: &Content) -> Result<(), DefinitionRejection> {
    let mut violations = Vec::new();
    check_title("definition.title", &content.title, &mut violations);
    check_description("definition.description", &content.description, &mut violations);
    if content.steps.len() > MAX_STEPS {
        violations.push(FieldViolation::new("definition.steps", "at most 100"));
    } else {
        for (at, step) in content.steps.iter().enumerate() {
            check_step(&format!("definition.steps[{at}].text"), &step.text, &mut violations);
            if content.steps[..at].iter().any(|earlier| earlier.id == step.id) {
                violations.push(FieldViolation::new(format!("definition.steps[{at}].id"), "is there twice"));
            }
            let field = format!("definition.steps[{at}].attachment_ids");
            let files = &step.attachments;
            if files.len() > MAX_STEP_ATTACHMENTS {
                violations.push(FieldViolation::new(field, "at most 10"));
            } else if files.iter().enumerate().any(|(at, file)| files[..at].contains(file)) {
                violations.push(FieldViolation::new(field, "names one twice"));
            }
        }
        if content.steps.iter().map(|step| step.attachments.len()).sum::<usize>() > MAX_ATTACHMENTS {
            let rule = "at most 100 attachments in one definition";
            violations.push(FieldViolation::new("definition.steps", rule));
        }
    }
    if state.content.as_ref().is_some_and(|known| known.template != content.template) {
        violations.push(FieldViolation::new("definition.template_id", "never changes"));
    }
    if violations.is_empty() { Ok(()) } else { Err(DefinitionRejection::Invalid(violations)) }
}

impl Aggregate for Definition {
    const KIND: &'static str = "definition";
    type State = DefinitionState;
    type Command = DefinitionCommand;
    type Event = DefinitionEvent;
    type Rejection = DefinitionRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        let is_system = matches!(context.principal.subject, Subject::System);
        if !is_system && !context.principal.is_moderator() {
            return Err(DefinitionRejection::Denied);
        }
        match command {
            DefinitionCommand::Put(_) if state.removed => Err(DefinitionRejection::IdTaken),
            DefinitionCommand::Put(content) => {
                check(state, content)?;
                if state.content.as_ref() == Some(content) {
                    return Ok(Vec::new());
                }
                Ok(vec![DefinitionEvent::Put { content: content.clone(), at: context.now }])
            }
            DefinitionCommand::Delete if state.content.is_some() => Ok(vec![DefinitionEvent::Deleted]),
            DefinitionCommand::Delete if is_system => Ok(Vec::new()),
            DefinitionCommand::Delete => Err(DefinitionRejection::Missing),
        }
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        match event {
            DefinitionEvent::Put { content, at } => {
                state.content = Some(content.clone());
                state.created_at.get_or_insert(*at);
                state.updated_at = Some(*at);
            }
            DefinitionEvent::Deleted => *state = Self::State { removed: true, ..Self::State::default() },
        }
    }
}
