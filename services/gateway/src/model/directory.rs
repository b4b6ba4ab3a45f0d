//! Shapes of the directory.

use std::collections::BTreeMap;

use callboard_proto::directory::v1 as proto;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::mirror::{Mirror, mirror, several, words};
use super::{Localized, Role, Time};

words! {
    /// How far departments separate employees.
    Isolation of proto::Isolation {
        /// Everybody sees all.
        Off,
        /// Sees what shares a department, and what has none.
        Basic,
        /// Sees only what shares a department.
        Strict,
    }

    /// Private or corporate.
    CustomerKind of proto::CustomerKind { Private, Corporate }
    /// A field of work at the support desk.
    SupportRole of proto::SupportRole { Care, Access, Sales }
}

several! {
    /// Roles in the support desk.
    SupportRoles of SupportRole,
}

mirror! {
    /// A tenant. Everything belongs to exactly one; nothing crosses.
    Organisation of proto::Organisation {
        /// UUID. Output only.
        id: Option<String>,
        /// 1 to 200 characters.
        name: Option<String>,
        /// How far departments separate employees.
        isolation: Option<Isolation>,
        /// `en` or `de`: the language where a person's own is not known.
        language: Option<String>,
        /// IANA name such as `Europe/Berlin`: where a device's own is not known. Not set: UTC.
        time_zone: Option<String>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A logged-in person of the organisation: one role, a language, departments, teams.
    Employee of proto::Employee {
        /// UUID; may be chosen by who creates it.
        id: Option<String>,
        /// 1 to 200 characters.
        name: Option<String>,
        /// Unique in the organisation, compared in lower case.
        email: Option<String>,
        /// Exactly one role.
        role: Option<Role>,
        /// `en` or `de`.
        language: Option<String>,
        /// Departments, for isolation; none: sees all.
        department_ids: Vec<String>,
        /// Local teams.
        team_ids: Vec<String>,
        /// Fields of work at the support desk, each once; none: no support agent.
        support_roles: SupportRoles,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// Part of an organisation, for isolation.
    Department of proto::Department {
        /// UUID; may be chosen by who creates it.
        id: Option<String>,
        /// 1 to 200 characters.
        name: Option<String>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A local team ("North"). Membership is kept at the employee.
    Team of proto::Team {
        /// UUID; may be chosen by who creates it.
        id: Option<String>,
        /// 1 to 200 characters.
        name: Option<String>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A set of local teams ("service technicians").
    MetaTeam of proto::MetaTeam {
        /// UUID; may be chosen by who creates it.
        id: Option<String>,
        /// 1 to 200 characters.
        name: Option<String>,
        /// The local teams it is a set of.
        team_ids: Vec<String>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// Owns devices.
    Customer of proto::Customer {
        /// UUID; may be chosen by who creates it.
        id: Option<String>,
        /// 1 to 200 characters.
        name: Option<String>,
        /// Private or corporate.
        kind: Option<CustomerKind>,
        /// Which local team of a meta team serves this customer: meta team id to team id.
        serving_team_ids: BTreeMap<String, String>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A corporate customer's own login: a code user's rights on its own company's devices.
    CustomerUser of proto::CustomerUser {
        /// UUID; may be chosen by who creates it.
        id: Option<String>,
        /// The company. UUID.
        customer_id: Option<String>,
        /// 1 to 200 characters.
        name: Option<String>,
        /// Unique in the organisation, compared in lower case.
        email: Option<String>,
        /// `en` or `de`.
        language: Option<String>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// Digital twin of one physical thing; derived from a template.
    Device of proto::Device {
        /// UUID; may be chosen by who creates it.
        id: Option<String>,
        /// The template. UUID.
        template_id: Option<String>,
        /// 1 to 200 characters.
        name: Option<String>,
        /// At most 200 characters.
        serial_number: Option<String>,
        /// Not set: belongs to nobody.
        customer_id: Option<String>,
        /// Departments, for isolation.
        department_ids: Vec<String>,
        /// IANA name such as `Europe/Berlin`. Not set: that of the organisation.
        time_zone: Option<String>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// Blueprint of devices: its identity. Flows, groups and switches are resources of their own below it.
    Template of proto::Template {
        /// UUID; may be chosen by who creates it.
        id: Option<String>,
        /// By language.
        name: Option<Localized>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// URL and QR image on a device; paired to at most one; active or deactivated; optional PIN.
    Code of proto::Code {
        /// UUID; may be chosen by who creates it.
        id: Option<String>,
        /// The opaque text in the URL and the QR image. Output only.
        token: Option<String>,
        /// Not set: unpaired. Output only: pair and unpair are verbs.
        device_id: Option<String>,
        /// Output only: activate and deactivate are verbs.
        active: bool,
        /// Output only.
        has_pin: bool,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    } + {
        /// What the QR image holds: a page that lets whoever scans it ask for help; `?flow=` starts a flow at once.
        /// Output only.
        url: Option<String>,
    }

    /// A page of employees, by name.
    EmployeePage of proto::ListEmployeesResponse { employees: Vec<Employee>, next_page_token: Option<String> }
    /// A page of departments, by name.
    DepartmentPage of proto::ListDepartmentsResponse { departments: Vec<Department>, next_page_token: Option<String> }
    /// A page of teams, by name.
    TeamPage of proto::ListTeamsResponse { teams: Vec<Team>, next_page_token: Option<String> }
    /// A page of meta teams, by name.
    MetaTeamPage of proto::ListMetaTeamsResponse { meta_teams: Vec<MetaTeam>, next_page_token: Option<String> }
    /// A page of customers, by name.
    CustomerPage of proto::ListCustomersResponse { customers: Vec<Customer>, next_page_token: Option<String> }
    /// A page of customer users, by name.
    CustomerUserPage of proto::ListCustomerUsersResponse {
        customer_users: Vec<CustomerUser>,
        next_page_token: Option<String>,
    }
    /// A page of devices, by name.
    DevicePage of proto::ListDevicesResponse { devices: Vec<Device>, next_page_token: Option<String> }
    /// A page of templates, by name.
    TemplatePage of proto::ListTemplatesResponse { templates: Vec<Template>, next_page_token: Option<String> }
    /// A page of codes, newest first.
    CodePage of proto::ListCodesResponse { codes: Vec<Code>, next_page_token: Option<String> }

    /// How many sessions were ended.
    EndedSessions of proto::EndCodeSessionsResponse { ended: i32 }

    /// Tokens of a session.
    Tokens of proto::Tokens {
        /// JWT; goes into `Authorization: Bearer …`.
        access_token: String,
        /// When the access token ends.
        access_expire_time: Option<Time>,
        /// Opaque; good for one refresh.
        refresh_token: Option<String>,
        /// When the refresh token ends.
        refresh_expire_time: Option<Time>,
    }

    /// A code to look up.
    CodeQuestion of proto::LookUpCodeRequest {
        /// The code's token, as in its URL.
        code: String,
    }
    /// What a code needs.
    CodeNeeds of proto::LookUpCodeResponse {
        /// False: deactivated or unpaired: only logged-in people.
        admits_code_users: bool,
        /// Whether a PIN is asked for.
        needs_pin: bool,
        /// The device, for a logged-in caller who may see it (D-3).
        device_id: Option<String>,
        /// It hangs on no device, so that one can be paired with it: told to employees only (D-3).
        is_unpaired: bool,
    }
    /// A code to come in by.
    Scan of proto::ScanCodeRequest {
        /// The code's token, as in its URL.
        code: String,
        /// Not set when the code has none.
        pin: Option<String>,
        /// `en` or `de`; not set: that of `Accept-Language`, else the organisation's.
        language: Option<String>,
    }
    /// A session of a code user.
    Admission of proto::ScanCodeResponse {
        /// Tokens of the session.
        tokens: Option<Tokens>,
        /// UUID.
        session_id: String,
        /// UUID.
        organisation_id: String,
        /// The device in front of the person. UUID.
        device_id: String,
        /// Its template. UUID.
        template_id: String,
    }
    /// A refresh token.
    RefreshToken of proto::RefreshSessionRequest {
        /// Opaque; good for one refresh. Used twice, the whole session ends.
        refresh_token: String,
    }
    /// New tokens.
    NewTokens of proto::RefreshSessionResponse { tokens: Option<Tokens> }
    /// Whose development token.
    DevelopmentToken of proto::IssueDevelopmentTokenRequest {
        /// Of an employee or customer user.
        email: String,
        /// Where several organisations know the address, this decides. UUID.
        organisation_id: Option<String>,
    }
    /// Development tokens.
    DevelopmentTokens of proto::IssueDevelopmentTokenResponse { tokens: Option<Tokens> }
    /// A code user as itself.
    CodeVisitor of proto::CodeVisitor {
        /// UUID.
        session_id: String,
        /// UUID.
        code_id: String,
        /// UUID.
        device_id: String,
    }
}

/// Who the caller is: exactly one of the last three.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The caller's organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Organisation>,
    /// A logged-in person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee: Option<Employee>,
    /// A corporate customer's login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_user: Option<CustomerUser>,
    /// Who came in by a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_user: Option<CodeVisitor>,
}

impl From<proto::GetMeResponse> for Me {
    fn from(proto: proto::GetMeResponse) -> Self {
        use proto::get_me_response::Who;
        let mut me = Self { organisation: Mirror::out(proto.organisation), ..Self::default() };
        match proto.who {
            Some(Who::Employee(employee)) => me.employee = Some(Mirror::out(employee)),
            Some(Who::CustomerUser(user)) => me.customer_user = Some(Mirror::out(user)),
            Some(Who::CodeUser(user)) => me.code_user = Some(Mirror::out(user)),
            None => {}
        }
        me
    }
}

/// The device that a code is paired to.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pairing {
    /// UUID.
    pub device_id: String,
}

/// A PIN to set.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pin {
    /// 4 to 12 digits; empty: none.
    pub pin: String,
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pin").finish_non_exhaustive()
    }
}

/// A code to make.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NewCode {
    /// UUID; chosen by Callboard when not given.
    pub id: Option<String>,
    /// The device to pair it to; not given: unpaired.
    pub device_id: Option<String>,
    /// Optional: 4 to 12 digits.
    pub pin: Option<String>,
    /// Whether it lets code users in; default: yes.
    pub active: Option<bool>,
}

impl std::fmt::Debug for NewCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("NewCode");
        shown.field("id", &self.id).field("device_id", &self.device_id).field("active", &self.active);
        shown.finish_non_exhaustive()
    }
}
