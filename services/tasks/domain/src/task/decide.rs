//! The decisions.

use callboard_kernel::{DecisionContext, EmployeeId, FieldViolation, Subject};

use super::{
    Closing, Edit, NewTask, Status, Step, TaskCommand, TaskContent, TaskEvent, TaskRejection, TaskState, Tick,
};
use crate::text::{MAX_STEPS, check_description, check_step, check_title};
use crate::{MAX_ASSIGNEES, StepId, Visibility};

type Decided = Result<Vec<TaskEvent>, TaskRejection>;

const NOT_YOURS: &str = "for employees who work on the task, moderators and administrators";

pub(super) fn decide(state: &TaskState, command: &TaskCommand, context: &DecisionContext<'_>) -> Decided {
    if let TaskCommand::Create(new) = command {
        // The one task of an event and a due time is there already (K-3), or was deleted since.
        return if state.task.is_some() || state.deleted { Ok(Vec::new()) } else { create(new, context) };
    }
    let is_system = matches!(context.principal.subject, Subject::System);
    let task = match state.task.as_deref() {
        Some(task) if task.admits(context.principal) => task,
        None if is_system => return Ok(Vec::new()),
        Some(_) | None => return Err(TaskRejection::Missing),
    };
    match command {
        TaskCommand::Create(_) => Ok(Vec::new()),
        TaskCommand::Edit(wanted) => edit(task, wanted, context),
        TaskCommand::Start => {
            may_do(task, context)?;
            match task.status {
                Status::Open => Ok(vec![status(task, Status::InProgress, context)]),
                Status::InProgress => Err(TaskRejection::Started),
                Status::Closed => Err(TaskRejection::Closed),
            }
        }
        TaskCommand::Close => {
            may_do(task, context)?;
            is_open(task)?;
            Ok(vec![status(task, Status::Closed, context)])
        }
        TaskCommand::Reopen => {
            if !task.works_on_it(context.principal) {
                return Err(TaskRejection::Denied(NOT_YOURS));
            }
            if task.status != Status::Closed {
                return Err(TaskRejection::NotClosed);
            }
            let is_begun = task.steps.iter().any(|step| step.tick.is_some());
            let to = if is_begun { Status::InProgress } else { Status::Open };
            Ok(vec![status(task, to, context)])
        }
        TaskCommand::Tick { step, done } => tick(task, *step, *done, context),
        TaskCommand::Assign { add, remove } => assign(task, add, remove, context),
        TaskCommand::Delete if context.principal.is_moderator() => Ok(vec![TaskEvent::Deleted]),
        TaskCommand::Delete => {
            Err(TaskRejection::Denied("tasks are deleted by moderators and administrators"))
        }
        TaskCommand::Unlink { .. } | TaskCommand::Leave { .. } | TaskCommand::FallDue { .. }
            if !is_system =>
        {
            Err(TaskRejection::Denied("Callboard does this by itself"))
        }
        TaskCommand::Unlink { ticket } if task.ticket == Some(*ticket) => {
            let edit = Edit { ticket: Some(None), ..Edit::default() };
            Ok(vec![TaskEvent::Edited { edit, at: context.now }])
        }
        // Who worked on what is over stays in its record.
        TaskCommand::Leave { employee }
            if task.status != Status::Closed && task.assignees.contains(employee) =>
        {
            let removed = vec![*employee];
            Ok(vec![TaskEvent::AssigneesChanged { added: Vec::new(), removed, at: context.now }])
        }
        TaskCommand::FallDue { due } if task.alarm() == Some(*due) => {
            Ok(vec![TaskEvent::FellDue { due: *due }])
        }
        TaskCommand::Unlink { .. } | TaskCommand::Leave { .. } | TaskCommand::FallDue { .. } => {
            Ok(Vec::new())
        }
    }
}

fn invalid(violations: Vec<FieldViolation>) -> Result<(), TaskRejection> {
    if violations.is_empty() { Ok(()) } else { Err(TaskRejection::Invalid(violations)) }
}

fn create(new: &NewTask, context: &DecisionContext<'_>) -> Decided {
    let principal = context.principal;
    let mut violations = Vec::new();
    check_title("title", &new.title, &mut violations);
    check_description("description", &new.description, &mut violations);
    if new.steps.len() > MAX_STEPS {
        violations.push(FieldViolation::new("steps", "at most 100"));
    } else {
        for (at, step) in new.steps.iter().enumerate() {
            check_step(&format!("steps[{at}]"), &step.text, &mut violations);
        }
    }
    if new.assignees.len() > MAX_ASSIGNEES {
        violations.push(FieldViolation::new("assignee_ids", "at most 50"));
    }
    if principal.is_outsider() {
        for (field, is_given) in [
            ("definition_id", new.definition.is_some()),
            ("steps", !new.steps.is_empty()),
            ("assignee_ids", !new.assignees.is_empty()),
            ("due_time", new.due.is_some()),
            ("ticket_id", new.ticket.is_some()),
        ] {
            if is_given {
                violations.push(FieldViolation::new(field, "is for employees (K-2)"));
            }
        }
    }
    invalid(violations)?;
    may_assign(&new.assignees, context)?;
    let mut assignees = new.assignees.clone();
    assignees.sort_unstable();
    assignees.dedup();
    let steps = new.steps.iter().map(|step| Step {
        id: step.id,
        text: step.text.clone(),
        attachments: step.attachments.clone(),
        tick: None,
    });
    Ok(vec![TaskEvent::Created(Box::new(TaskContent {
        device: new.device,
        place: new.place.clone(),
        definition: new.definition,
        event: new.event,
        status: Status::Open,
        // What comes from outside is seen outside (K-2).
        visibility: if principal.is_outsider() { Visibility::External } else { new.visibility },
        title: new.title.clone(),
        description: new.description.clone(),
        steps: steps.collect(),
        assignees,
        due: new.due,
        // What arises because it is due was told when it fell due.
        due_ahead: new.due.is_some_and(|due| due > context.now),
        ticket: new.ticket,
        creator: context.actor(),
        created_at: context.now,
        updated_at: context.now,
        closing: None,
    }))])
}

/// Members assign themselves; moderators and administrators anybody (as in fleet); Callboard whom an event names.
fn may_assign(others: &[EmployeeId], context: &DecisionContext<'_>) -> Result<(), TaskRejection> {
    let principal = context.principal;
    let is_free = principal.is_moderator() || matches!(principal.subject, Subject::System);
    let own = principal.employee().map(|employee| employee.id);
    if is_free || others.iter().all(|other| Some(*other) == own) {
        Ok(())
    } else {
        Err(TaskRejection::Denied("others are assigned by moderators and administrators"))
    }
}

fn may_do(task: &TaskContent, context: &DecisionContext<'_>) -> Result<(), TaskRejection> {
    // Who sees it from outside was let in by `admits`.
    if context.principal.is_outsider() || task.works_on_it(context.principal) {
        Ok(())
    } else {
        Err(TaskRejection::Denied(NOT_YOURS))
    }
}

fn is_open(task: &TaskContent) -> Result<(), TaskRejection> {
    if task.status == Status::Closed { Err(TaskRejection::Closed) } else { Ok(()) }
}

fn status(task: &TaskContent, to: Status, context: &DecisionContext<'_>) -> TaskEvent {
    let closing = (to == Status::Closed).then(|| Closing { by: context.actor(), at: context.now });
    TaskEvent::StatusChanged { from: task.status, to, closing, at: context.now }
}

fn edit(task: &TaskContent, wanted: &Edit, context: &DecisionContext<'_>) -> Decided {
    if !task.works_on_it(context.principal) {
        return Err(TaskRejection::Denied(NOT_YOURS));
    }
    let mut violations = Vec::new();
    if let Some(title) = &wanted.title {
        check_title("title", title, &mut violations);
    }
    if let Some(description) = &wanted.description {
        check_description("description", description, &mut violations);
    }
    invalid(violations)?;
    let edit = Edit {
        title: wanted.title.clone().filter(|title| *title != task.title),
        description: wanted.description.clone().filter(|description| *description != task.description),
        visibility: None,
        due: wanted.due.filter(|due| *due != task.due),
        ticket: wanted.ticket.filter(|ticket| *ticket != task.ticket),
    };
    let mut events = Vec::new();
    if edit != Edit::default() {
        events.push(TaskEvent::Edited { edit, at: context.now });
    }
    if let Some(to) = wanted.visibility.filter(|visibility| *visibility != task.visibility) {
        events.push(TaskEvent::VisibilityChanged { from: task.visibility, to, at: context.now });
    }
    Ok(events)
}

fn tick(task: &TaskContent, step: StepId, done: bool, context: &DecisionContext<'_>) -> Decided {
    may_do(task, context)?;
    is_open(task)?;
    let Some(found) = task.steps.iter().find(|known| known.id == step) else {
        return Err(TaskRejection::Invalid(vec![FieldViolation::new(
            "step_id",
            "names no step of the task",
        )]));
    };
    if found.tick.is_some() == done {
        return Ok(Vec::new());
    }
    let at = context.now;
    let tick = done.then(|| Tick { by: context.actor(), at });
    let mut events = vec![TaskEvent::Ticked { step, tick, at }];
    // Whoever ticks something off has begun.
    if done && task.status == Status::Open {
        events.push(status(task, Status::InProgress, context));
    }
    Ok(events)
}

fn assign(
    task: &TaskContent,
    add: &[EmployeeId],
    remove: &[EmployeeId],
    context: &DecisionContext<'_>,
) -> Decided {
    if context.principal.is_outsider() {
        return Err(TaskRejection::Denied("tasks are assigned by employees"));
    }
    let others: Vec<EmployeeId> = add.iter().chain(remove).copied().collect();
    may_assign(&others, context)?;
    is_open(task)?;
    let mut added: Vec<EmployeeId> = add
        .iter()
        .filter(|employee| !task.assignees.contains(employee) && !remove.contains(employee))
        .copied()
        .collect();
    added.sort_unstable();
    added.dedup();
    let mut removed: Vec<EmployeeId> =
        remove.iter().filter(|employee| task.assignees.contains(employee)).copied().collect();
    removed.sort_unstable();
    removed.dedup();
    if task.assignees.len() + added.len() - removed.len() > MAX_ASSIGNEES {
        let violation = FieldViolation::new("add_ids", "at most 50 are assigned together");
        return Err(TaskRejection::Invalid(vec![violation]));
    }
    if added.is_empty() && removed.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![TaskEvent::AssigneesChanged { added, removed, at: context.now }])
}
