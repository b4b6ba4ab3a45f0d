//! Creation flows: what a ticket is made by (T-1).

use std::collections::HashSet;

use callboard_kernel::{FieldViolation, Language};
use serde::{Deserialize, Serialize};

use crate::text::{self, LocalizedText, MAX_HELP, MAX_LABEL};
use crate::{Answer, FlowId, GroupId, MAX_CHOICES, MAX_STEPS, StepKind};

/// One choice of a choice step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Stable key within the step: `[a-z0-9_-]{1,64}`.
    pub key: String,
    /// What is shown; at most 200 characters per language.
    pub label: LocalizedText,
}

/// One question of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Stable key within the flow: `[a-z0-9_-]{1,64}`.
    pub key: String,
    /// What is answered.
    pub kind: StepKind,
    /// Whether the ticket cannot open without it (T-4).
    pub required: bool,
    /// The question; at most 200 characters per language.
    pub label: LocalizedText,
    /// What helps to answer it; at most 2,000 characters per language.
    pub help: LocalizedText,
    /// For choice steps: 1 to 100.
    pub choices: Vec<Choice>,
}

impl Step {
    /// The choice of this key.
    pub fn choice(&self, key: &str) -> Option<&Choice> {
        self.choices.iter().find(|choice| choice.key == key)
    }
}

/// A creation flow: ordered typed steps. The category of a ticket is its flow (T-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Unique within the template.
    pub id: FlowId,
    /// What is shown; at most 200 characters per language.
    pub label: LocalizedText,
    /// At most 50.
    pub steps: Vec<Step>,
    /// Key of the step whose answer becomes the title; `None`: the flow's label.
    pub title_step: Option<String>,
    /// Fleet group that is offered the ticket; `None`: the template's first (F-1). Whether it exists is fleet's affair.
    pub group: Option<GroupId>,
    /// Notification group told of this flow's tickets (N-4).
    pub notification_group: Option<GroupId>,
    /// Whether new tickets can be made by it.
    pub active: bool,
}

impl Flow {
    /// The step of this key.
    pub fn step(&self, key: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.key == key)
    }

    /// Every rule that the flow breaks, with paths as in a `PutFlow` request.
    pub fn violations(&self) -> Vec<FieldViolation> {
        let mut found = Vec::new();
        self.label.check("flow.label", true, MAX_LABEL, &mut found);
        if self.steps.len() > MAX_STEPS {
            found.push(FieldViolation::new("flow.steps", format!("at most {MAX_STEPS} steps")));
            return found;
        }
        let mut keys = HashSet::new();
        for (index, step) in self.steps.iter().enumerate() {
            let path = format!("flow.steps[{index}]");
            check_key(&step.key, &path, &mut keys, &mut found);
            step.label.check(&format!("{path}.label"), true, MAX_LABEL, &mut found);
            step.help.check(&format!("{path}.help"), false, MAX_HELP, &mut found);
            check_choices(step, &format!("{path}.choices"), &mut found);
        }
        if let Some(key) = &self.title_step {
            match self.step(key) {
                None => found.push(FieldViolation::new("flow.title_step", "the key of one of the steps")),
                Some(step) if !step.kind.can_be_title() => found.push(FieldViolation::new(
                    "flow.title_step",
                    "a step of text, long text, single choice, number or date",
                )),
                Some(_) => {}
            }
        }
        found
    }

    /// Required steps that have no answer, in order (T-4).
    pub fn missing<'a>(&'a self, answers: &[Answer]) -> Vec<&'a str> {
        self.steps
            .iter()
            .filter(|step| step.required && !answers.iter().any(|answer| answer.step == step.key))
            .map(|step| step.key.as_str())
            .collect()
    }

    /// Checks one answer; `path` names it in the request.
    ///
    /// # Errors
    /// The field and the rule it breaks.
    pub fn check_answer(&self, answer: &Answer, path: &str) -> Result<(), FieldViolation> {
        match self.step(&answer.step) {
            Some(step) => answer.value.check(step, path),
            None => Err(FieldViolation::new(format!("{path}.step"), "the key of a step of the flow")),
        }
    }

    /// Checks all answers of a request that brings them at once. Missing ones are not looked for.
    pub fn check_answers(&self, answers: &[Answer]) -> Vec<FieldViolation> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for (index, answer) in answers.iter().enumerate() {
            let path = format!("answers[{index}]");
            if !seen.insert(&answer.step) {
                found.push(FieldViolation::new(format!("{path}.step"), "each step at most once"));
            } else if let Err(violation) = self.check_answer(answer, &path) {
                found.push(violation);
            }
        }
        found
    }

    /// The title of a ticket: the answer to the title step, else the flow's label, in a language.
    pub fn title(&self, answers: &[Answer], language: Language) -> String {
        self.title_step
            .as_deref()
            .and_then(|key| {
                let step = self.step(key)?;
                answers.iter().find(|answer| answer.step == key)?.value.title(step, language)
            })
            .unwrap_or_else(|| self.label.get(language).chars().take(text::MAX_TITLE).collect())
    }

    /// The words of the answers by which a ticket is found, labels of choices in every language included (T-15).
    pub fn words(&self, answers: &[Answer]) -> String {
        let mut words = Vec::new();
        for answer in answers {
            if let Some(step) = self.step(&answer.step) {
                answer.value.words(step, &mut words);
            }
        }
        words.retain(|word| !word.is_empty());
        words.join("\n")
    }
}

fn check_key<'a>(key: &'a str, path: &str, keys: &mut HashSet<&'a str>, found: &mut Vec<FieldViolation>) {
    if !text::is_key(key) {
        found.push(FieldViolation::new(format!("{path}.key"), "1 to 64 of a-z, 0-9, `_`, `-`"));
    } else if !keys.insert(key) {
        found.push(FieldViolation::new(format!("{path}.key"), "each key once"));
    }
}

fn check_choices(step: &Step, path: &str, found: &mut Vec<FieldViolation>) {
    if !step.kind.has_choices() {
        if !step.choices.is_empty() {
            found.push(FieldViolation::new(path, "only for single and multiple choice"));
        }
        return;
    }
    if step.choices.is_empty() || step.choices.len() > MAX_CHOICES {
        found.push(FieldViolation::new(path, format!("1 to {MAX_CHOICES} choices")));
        return;
    }
    let mut keys = HashSet::new();
    for (index, choice) in step.choices.iter().enumerate() {
        let path = format!("{path}[{index}]");
        check_key(&choice.key, &path, &mut keys, found);
        choice.label.check(&format!("{path}.label"), true, MAX_LABEL, found);
    }
}
