//! From records to events: facts after and before, no names, no e-mail addresses.

use callboard_actor::{Step, StepMeta};
use callboard_bus::Event as BusEvent;
use callboard_directory_domain::code::{self, Code};
use callboard_directory_domain::session::{self, Holder, Session};
use callboard_directory_domain::{
    Customer, CustomerUser, Department, Device, Employee, Entity, MetaTeam, Organisation, Team, Template,
};
use callboard_proto::directory::v1 as proto;
use callboard_service::convert::{to_proto_role, to_proto_time};
use callboard_service::outbound;
use uuid::Uuid;

use crate::api::{localized_text, organisation_message, to_proto_customer_kind, to_proto_support_role};

/// A kind of record that others hear of.
pub trait Announced: Entity {
    /// Adds what others hear of a change: before `None`: made; after `None`: removed.
    fn announce(meta: &StepMeta, before: Option<&Self>, after: Option<&Self>, events: &mut Vec<BusEvent>);
}

fn push<M: callboard_proto::Event>(meta: &StepMeta, message: &M, events: &mut Vec<BusEvent>) {
    events.push(outbound(meta, events.len(), message));
}

fn revoke(meta: &StepMeta, subject: Uuid, min_epoch: i64, events: &mut Vec<BusEvent>) {
    let message = proto::PrincipalTokensRevoked {
        subject_id: subject.to_string(),
        organisation_id: meta.principal.organisation.to_string(),
        min_epoch,
        revoke_time: Some(to_proto_time(meta.at)),
    };
    push(meta, &message, events);
}

fn ids<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

impl Announced for Organisation {
    fn announce(meta: &StepMeta, before: Option<&Self>, after: Option<&Self>, events: &mut Vec<BusEvent>) {
        // A name of a company is no personal data; times and etag are the envelope's affair.
        let message = |value: &Self| organisation_message(meta.aggregate_id, value);
        let changed =
            proto::OrganisationChanged { organisation: after.map(message), previous: before.map(message) };
        push(meta, &changed, events);
    }
}

impl Announced for Employee {
    fn announce(meta: &StepMeta, before: Option<&Self>, after: Option<&Self>, events: &mut Vec<BusEvent>) {
        let facts = |value: &Self| proto::EmployeeFacts {
            employee_id: meta.aggregate_id.to_string(),
            organisation_id: meta.principal.organisation.to_string(),
            role: to_proto_role(value.role).into(),
            language: value.language.as_str().to_owned(),
            department_ids: ids(&value.departments),
            team_ids: ids(&value.teams),
            support_roles: value
                .support_roles
                .iter()
                .map(|&role| to_proto_support_role(role).into())
                .collect(),
        };
        let (employee, previous) = (after.map(facts), before.map(facts));
        match (before, after) {
            (None, _) => push(meta, &proto::EmployeeCreated { employee }, events),
            (Some(before), None) => {
                push(meta, &proto::EmployeeRemoved { employee: previous }, events);
                revoke(meta, meta.aggregate_id, before.tombstone().auth_epoch, events);
            }
            (Some(before), Some(after)) => {
                let moved = before.departments != after.departments;
                let rest = Self {
                    departments: after.departments.clone(),
                    auth_epoch: after.auth_epoch,
                    ..before.clone()
                };
                if moved {
                    let (employee, previous) = (employee.clone(), previous.clone());
                    push(meta, &proto::EmployeeDepartmentsChanged { employee, previous }, events);
                }
                if rest != *after {
                    push(meta, &proto::EmployeeChanged { employee, previous }, events);
                }
                if before.auth_epoch < after.auth_epoch {
                    revoke(meta, meta.aggregate_id, after.auth_epoch, events);
                }
            }
        }
    }
}

/// Kinds whose events carry only who they are.
macro_rules! announced_by_id {
    ($kind:ident, $id:ident, $changed:ident, $removed:ident $(, $field:ident: $make:expr)?) => {
        impl Announced for $kind {
            fn announce(meta: &StepMeta, _: Option<&Self>, after: Option<&Self>, events: &mut Vec<BusEvent>) {
                let $id = meta.aggregate_id.to_string();
                let organisation_id = meta.principal.organisation.to_string();
                match after {
                    #[allow(unused_variables)]
                    Some(value) => push(
                        meta,
                        &proto::$changed { $id, organisation_id $(, $field: { let make: fn(&Self) -> _ = $make; make(value) })? },
                        events,
                    ),
                    None => push(meta, &proto::$removed { $id, organisation_id }, events),
                }
            }
        }
    };
}

announced_by_id!(Department, department_id, DepartmentChanged, DepartmentRemoved);
announced_by_id!(Team, team_id, TeamChanged, TeamRemoved);
announced_by_id!(MetaTeam, meta_team_id, MetaTeamChanged, MetaTeamRemoved, team_ids: |meta| ids(&meta.teams));
announced_by_id!(Template, template_id, TemplateChanged, TemplateRemoved, name: |template| Some(localized_text(&template.name)));

impl Announced for Customer {
    fn announce(meta: &StepMeta, before: Option<&Self>, after: Option<&Self>, events: &mut Vec<BusEvent>) {
        let facts = |value: &Self| proto::CustomerFacts {
            customer_id: meta.aggregate_id.to_string(),
            organisation_id: meta.principal.organisation.to_string(),
            kind: to_proto_customer_kind(value.kind).into(),
            serving_team_ids: value
                .serving
                .iter()
                .map(|(meta, team)| (meta.to_string(), team.to_string()))
                .collect(),
        };
        let (customer, previous) = (after.map(facts), before.map(facts));
        if customer.is_some() {
            push(meta, &proto::CustomerChanged { customer, previous }, events);
        } else {
            push(meta, &proto::CustomerRemoved { customer: previous }, events);
        }
    }
}

impl Announced for CustomerUser {
    fn announce(meta: &StepMeta, before: Option<&Self>, after: Option<&Self>, events: &mut Vec<BusEvent>) {
        let customer_user_id = meta.aggregate_id.to_string();
        let organisation_id = meta.principal.organisation.to_string();
        match (before, after) {
            (_, Some(user)) => {
                let changed = proto::CustomerUserChanged {
                    customer_user_id,
                    organisation_id,
                    customer_id: user.customer.to_string(),
                    language: user.language.as_str().to_owned(),
                };
                push(meta, &changed, events);
            }
            (Some(user), None) => {
                let customer_id = user.customer.to_string();
                push(
                    meta,
                    &proto::CustomerUserRemoved { customer_user_id, organisation_id, customer_id },
                    events,
                );
                revoke(meta, meta.aggregate_id, user.tombstone().auth_epoch, events);
            }
            (None, None) => {}
        }
    }
}

impl Announced for Device {
    fn announce(meta: &StepMeta, before: Option<&Self>, after: Option<&Self>, events: &mut Vec<BusEvent>) {
        let facts = |value: &Self| proto::DeviceFacts {
            device_id: meta.aggregate_id.to_string(),
            organisation_id: meta.principal.organisation.to_string(),
            template_id: value.template.to_string(),
            customer_id: value.customer.map(|id| id.to_string()).unwrap_or_default(),
            department_ids: ids(&value.departments),
            time_zone: value.time_zone.clone(),
            name: value.name.as_str().to_owned(),
            serial_number: value.serial_number.clone(),
        };
        let (device, previous) = (after.map(facts), before.map(facts));
        if device.is_some() {
            push(meta, &proto::DeviceChanged { device, previous }, events);
        } else {
            push(meta, &proto::DeviceRemoved { device: previous }, events);
        }
    }
}

/// What others hear of a code. Wrong and right PINs are nobody's business.
pub fn announce_code(step: &Step<'_, Code>) -> Vec<BusEvent> {
    let meta = step.meta;
    let facts = |state: &code::State| {
        state.kept().map(|code| proto::CodeFacts {
            code_id: meta.aggregate_id.to_string(),
            organisation_id: meta.principal.organisation.to_string(),
            device_id: code.device.map(|id| id.to_string()).unwrap_or_default(),
            active: code.active,
        })
    };
    let (previous, code) = (facts(step.before), facts(step.after));
    let mut events = Vec::new();
    if code.is_none() {
        push(meta, &proto::CodeRemoved { code: previous }, &mut events);
    } else if code != previous {
        push(meta, &proto::CodeChanged { code, previous }, &mut events);
    }
    for event in step.events {
        if let code::Event::SessionsEnded { epoch, .. } = event {
            revoke(meta, meta.aggregate_id, *epoch, &mut events);
        }
    }
    events
}

/// What others hear of a session: that a code user's is over.
///
/// The access tokens of people name the person, not the session: ending one session of several must not log the others
/// out, so the last access token of it lives on for its few minutes.
pub fn announce_session(step: &Step<'_, Session>) -> Vec<BusEvent> {
    let mut events = Vec::new();
    for event in step.events {
        if let (session::Event::Ended { .. }, Some(session)) = (event, step.after)
            && let Holder::CodeUser { epoch, .. } = session.holder
        {
            revoke(step.meta, step.meta.aggregate_id, epoch + 1, &mut events);
        }
    }
    events
}
