//! T-1: creation flows and who edits them.

use callboard_kernel::{Aggregate, Cause, CommandId, DecisionContext, Principal};
use callboard_tickets_domain::{
    Flow, FlowSet, FlowSetAggregate, FlowSetCommand, FlowSetEvent, FlowSetRejection, LocalizedText, Step,
    StepKind,
};

use crate::support::*;

fn ask(
    set: &mut FlowSet,
    principal: &Principal,
    command: FlowSetCommand,
) -> Result<Vec<FlowSetEvent>, FlowSetRejection> {
    let ids = CountedIds::default();
    let context = DecisionContext {
        now: at(0),
        principal,
        cause: &Cause::default(),
        command_id: CommandId(id(77)),
        ids: &ids,
    };
    let events = FlowSetAggregate::decide(set, &command, &context)?;
    for event in &events {
        FlowSetAggregate::evolve(set, event);
    }
    Ok(events)
}

fn numbered(n: u128) -> Flow {
    Flow { id: id(n).into(), ..flow() }
}

#[test]
fn t_1_flows_keep_their_order_and_are_replaced_in_place() {
    let mut set = FlowSet::default();
    for n in [3, 1, 2] {
        ask(&mut set, &moderator(), FlowSetCommand::Put(numbered(n))).unwrap();
    }
    let replaced = Flow { active: false, ..numbered(1) };
    ask(&mut set, &administrator(), FlowSetCommand::Put(replaced.clone())).unwrap();
    let ids: Vec<_> = set.flows.iter().map(|flow| flow.id.uuid()).collect();
    assert_eq!(ids, [id(3), id(1), id(2)]);
    assert_eq!(set.flow(id(1).into()), Some(&replaced));
    assert_eq!(ask(&mut set, &moderator(), FlowSetCommand::Put(replaced)), Ok(Vec::new()));
    ask(&mut set, &moderator(), FlowSetCommand::Delete(id(1).into())).unwrap();
    assert_eq!(
        ask(&mut set, &moderator(), FlowSetCommand::Delete(id(1).into())),
        Err(FlowSetRejection::NotFound("flow"))
    );
}

#[test]
fn t_1_a_template_has_at_most_50_flows() {
    let mut set = FlowSet::default();
    for n in 0..50 {
        ask(&mut set, &moderator(), FlowSetCommand::Put(numbered(100 + n))).unwrap();
    }
    let one_more = ask(&mut set, &moderator(), FlowSetCommand::Put(numbered(200)));
    assert_eq!(one_more, Err(FlowSetRejection::TooMany));
    let changed = Flow { active: false, ..numbered(100) };
    ask(&mut set, &moderator(), FlowSetCommand::Put(changed)).unwrap();
}

#[test]
fn editing_flows_is_for_moderators_and_administrators() {
    let mut set = FlowSet::default();
    for principal in [member(100), code_user(), customer_user()] {
        let result = ask(&mut set, &principal, FlowSetCommand::Put(flow()));
        assert_eq!(result, Err(FlowSetRejection::Denied));
    }
    ask(&mut set, &moderator(), FlowSetCommand::Put(flow())).unwrap();
    let result = ask(&mut set, &stranger(), FlowSetCommand::Delete(flow().id));
    assert_eq!(result, Err(FlowSetRejection::NotFound("template")));
}

#[test]
fn a_removed_template_takes_its_flows_along() {
    let mut set = FlowSet::default();
    ask(&mut set, &moderator(), FlowSetCommand::Put(flow())).unwrap();
    ask(&mut set, &system(), FlowSetCommand::RemoveTemplate).unwrap();
    assert!(set.flows.is_empty());
    assert_eq!(ask(&mut set, &system(), FlowSetCommand::RemoveTemplate), Ok(Vec::new()));
    let late = ask(&mut set, &moderator(), FlowSetCommand::Put(flow()));
    assert_eq!(late, Err(FlowSetRejection::NotFound("template")));
}

#[test]
fn t_1_a_flow_is_checked_thoroughly() {
    let steps = |steps: Vec<Step>| Flow { steps, title_step: None, ..flow() };
    let choices = |n: usize| {
        let mut step = step("c", StepKind::SingleChoice, true);
        let choice = step.choices[0].clone();
        step.choices = (0..n)
            .map(|n| {
                let mut c = choice.clone();
                c.key = format!("k{n}");
                c
            })
            .collect();
        step
    };
    let label = |pairs: &[(&str, &str)]| {
        LocalizedText(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
    };
    let line = |key: &str| step(key, StepKind::Text, true);
    let with_choice = Step { choices: step("c", StepKind::SingleChoice, true).choices, ..line("a") };
    let twice = {
        let mut step = step("c", StepKind::MultipleChoice, true);
        step.choices.push(step.choices[0].clone());
        step
    };
    // (flow, fields that are wrong)
    let table: Vec<(Flow, Vec<&str>)> = vec![
        (flow(), vec![]),
        (steps(vec![]), vec![]),
        (steps((0..50).map(|n| line(&format!("s{n}"))).collect()), vec![]),
        (steps((0..51).map(|n| line(&format!("s{n}"))).collect()), vec!["flow.steps"]),
        (steps(vec![line("a"), line("a")]), vec!["flow.steps[1].key"]),
        (steps(vec![line("Not A Key")]), vec!["flow.steps[0].key"]),
        (steps(vec![Step { key: String::new(), ..line("a") }]), vec!["flow.steps[0].key"]),
        (steps(vec![with_choice]), vec!["flow.steps[0].choices"]),
        (steps(vec![choices(0)]), vec!["flow.steps[0].choices"]),
        (steps(vec![choices(100)]), vec![]),
        (steps(vec![choices(101)]), vec!["flow.steps[0].choices"]),
        (steps(vec![twice]), vec!["flow.steps[0].choices[2].key"]),
        (Flow { title_step: Some("gone".into()), ..flow() }, vec!["flow.title_step"]),
        (
            Flow { title_step: Some("b".into()), steps: vec![step("b", StepKind::YesNo, true)], ..flow() },
            vec!["flow.title_step"],
        ),
        (Flow { label: label(&[]), ..flow() }, vec!["flow.label"]),
        (Flow { label: label(&[("English", "x")]), ..flow() }, vec!["flow.label"]),
        (Flow { label: label(&[("en", " ")]), ..flow() }, vec!["flow.label.by_language[en]"]),
        (Flow { label: label(&[("en", &"x".repeat(201))]), ..flow() }, vec!["flow.label.by_language[en]"]),
    ];
    for (flow, wrong) in table {
        let found: Vec<_> = flow.violations().into_iter().map(|violation| violation.field).collect();
        assert_eq!(found, wrong, "{flow:?}");
    }
}
