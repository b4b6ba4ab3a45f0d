//! What the directory keeps.

use callboard_proto::directory::v1 as proto;

use super::crud::crud;
use super::{ask, rpc};
use crate::answer::{Answer, show_inner};
use crate::call::Call;
use crate::extract::{Patch, Patchable};
use crate::model::directory::Organisation;
use crate::model::mirror::Mirror;
use crate::openapi::{Resource, Route};

impl Patchable for Organisation {
    const WRITABLE: &'static [&'static str] = &["name", "isolation", "language"];
}

async fn get_organisation(call: Call) -> Answer<Organisation> {
    show_inner(ask!(call, directory.get_organisation(proto::GetOrganisationRequest {})).organisation)
}

async fn update_organisation(call: Call, patch: Patch<Organisation>) -> Answer<Organisation> {
    let mut organisation = patch.resource.back();
    organisation.etag =
        call.etag(Some(std::mem::take(&mut organisation.etag)).filter(|etag| !etag.is_empty()));
    organisation.id = call.principal().organisation.to_string();
    let message = proto::UpdateOrganisationRequest {
        request_id: call.request_uuid(),
        organisation: Some(organisation),
        update_mask: Some(prost_types::FieldMask { paths: patch.mask }),
    };
    show_inner(ask!(call, directory.update_organisation(message)).organisation)
}

/// The caller's organisation.
pub fn organisation() -> Resource {
    Resource {
        tag: "organisation",
        about: "The caller's organisation: the tenant.",
        routes: vec![
            Route::get("/v1/organisation", get_organisation)
                .rpc(rpc!("directory.v1.DirectoryService", "GetOrganisation"))
                .answers::<Organisation>()
                .about("The caller's organisation."),
            Route::patch("/v1/organisation", update_organisation)
                .rpc(rpc!("directory.v1.DirectoryService", "UpdateOrganisation"))
                .body::<Organisation>()
                .answers::<Organisation>()
                .conditional()
                .about("Edits name, isolation, language. Administrators."),
        ],
    }
}

crud! {
    /// Logged-in people of the organisation.
    mod employees, path "/v1/employees", tag "employees", about "Logged-in people of the organisation.", client directory,
    service "directory.v1.DirectoryService", resource Employee as employee, page EmployeePage,
    writable ["name", "email", "role", "language", "departmentIds", "teamIds", "supportRoles"], filters {
        /// Of these departments.
        department_id of department_ids,
        /// Of these teams.
        team_id of team_ids,
    },
    create create_employee CreateEmployeeRequest "CreateEmployee",
    get get_employee GetEmployeeRequest "GetEmployee",
    list list_employees ListEmployeesRequest "ListEmployees",
    update update_employee UpdateEmployeeRequest "UpdateEmployee",
    delete delete_employee DeleteEmployeeRequest "DeleteEmployee",
}

crud! {
    /// Parts of an organisation, for isolation.
    mod departments, path "/v1/departments", tag "departments", about "Parts of an organisation, for isolation.", client directory,
    service "directory.v1.DirectoryService", resource Department as department, page DepartmentPage,
    writable ["name"], filters {},
    create create_department CreateDepartmentRequest "CreateDepartment",
    get get_department GetDepartmentRequest "GetDepartment",
    list list_departments ListDepartmentsRequest "ListDepartments",
    update update_department UpdateDepartmentRequest "UpdateDepartment",
    delete delete_department DeleteDepartmentRequest "DeleteDepartment",
}

crud! {
    /// Local teams.
    mod teams, path "/v1/teams", tag "teams", about "Local teams.", client directory,
    service "directory.v1.DirectoryService", resource Team as team, page TeamPage,
    writable ["name"], filters {},
    create create_team CreateTeamRequest "CreateTeam",
    get get_team GetTeamRequest "GetTeam",
    list list_teams ListTeamsRequest "ListTeams",
    update update_team UpdateTeamRequest "UpdateTeam",
    delete delete_team DeleteTeamRequest "DeleteTeam",
}

crud! {
    /// Sets of local teams.
    mod meta_teams, path "/v1/metaTeams", tag "meta teams", about "Sets of local teams.", client directory,
    service "directory.v1.DirectoryService", resource MetaTeam as meta_team, page MetaTeamPage,
    writable ["name", "teamIds"], filters {},
    create create_meta_team CreateMetaTeamRequest "CreateMetaTeam",
    get get_meta_team GetMetaTeamRequest "GetMetaTeam",
    list list_meta_teams ListMetaTeamsRequest "ListMetaTeams",
    update update_meta_team UpdateMetaTeamRequest "UpdateMetaTeam",
    delete delete_meta_team DeleteMetaTeamRequest "DeleteMetaTeam",
}

crud! {
    /// Owners of devices.
    mod customers, path "/v1/customers", tag "customers", about "Owners of devices.", client directory,
    service "directory.v1.DirectoryService", resource Customer as customer, page CustomerPage,
    writable ["name", "kind", "servingTeamIds"], filters {},
    create create_customer CreateCustomerRequest "CreateCustomer",
    get get_customer GetCustomerRequest "GetCustomer",
    list list_customers ListCustomersRequest "ListCustomers",
    update update_customer UpdateCustomerRequest "UpdateCustomer",
    delete delete_customer DeleteCustomerRequest "DeleteCustomer",
}

crud! {
    /// Corporate customers' own logins.
    mod customer_users, path "/v1/customerUsers", tag "customer users", about "Corporate customers' own logins.", client directory,
    service "directory.v1.DirectoryService", resource CustomerUser as customer_user, page CustomerUserPage,
    writable ["name", "email", "language", "customerId"], filters {
        /// Of these customers.
        customer_id of customer_ids,
    },
    create create_customer_user CreateCustomerUserRequest "CreateCustomerUser",
    get get_customer_user GetCustomerUserRequest "GetCustomerUser",
    list list_customer_users ListCustomerUsersRequest "ListCustomerUsers",
    update update_customer_user UpdateCustomerUserRequest "UpdateCustomerUser",
    delete delete_customer_user DeleteCustomerUserRequest "DeleteCustomerUser",
}

crud! {
    /// Digital twins of physical things.
    mod devices, path "/v1/devices", tag "devices", about "Digital twins of physical things.", client directory,
    service "directory.v1.DirectoryService", resource Device as device, page DevicePage,
    writable ["name", "serialNumber", "templateId", "customerId", "departmentIds"], filters {
        /// Of these templates.
        template_id of template_ids,
        /// Of these customers.
        customer_id of customer_ids,
    },
    create create_device CreateDeviceRequest "CreateDevice",
    get get_device GetDeviceRequest "GetDevice",
    list list_devices ListDevicesRequest "ListDevices",
    update update_device UpdateDeviceRequest "UpdateDevice",
    delete delete_device DeleteDeviceRequest "DeleteDevice",
}

crud! {
    /// Blueprints of devices.
    mod templates, path "/v1/templates", tag "templates", about "Blueprints of devices.", client directory,
    service "directory.v1.DirectoryService", resource Template as template, page TemplatePage,
    writable ["name"], filters {},
    create create_template CreateTemplateRequest "CreateTemplate",
    get get_template GetTemplateRequest "GetTemplate",
    list list_templates ListTemplatesRequest "ListTemplates",
    update update_template UpdateTemplateRequest "UpdateTemplate",
    delete delete_template DeleteTemplateRequest "DeleteTemplate",
}
