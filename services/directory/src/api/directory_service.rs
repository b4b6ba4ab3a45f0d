//! `DirectoryService`: five RPCs for each kind of record, two for the organisation.

use std::sync::Arc;

use callboard_directory_domain::{
    Customer, CustomerUser, Department, Device, Employee, MetaTeam, Organisation, Team, Template,
};
use callboard_kernel::{Isolation, Principal, Refusal, Subject};
use callboard_proto::directory::v1 as proto;
use callboard_proto::directory::v1::directory_service_server::DirectoryService;
use callboard_service::error::status;
use callboard_service::request::{page_query, principal};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::exposed::{self, Page};
use super::fields::filter_ids;
use super::refusal::SERVICE;
use crate::directory::Directory;
use crate::store::lookups;
use crate::store::read::Filter;

/// Serves `DirectoryService`.
#[derive(Debug, Clone)]
pub struct DirectoryApi(pub Arc<Directory>);

/// The answer, or the status of the refusal.
pub fn respond<T>(result: Result<T, Refusal>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|refusal| status(SERVICE, &refusal))
}

async fn no_filters<Q: Sync>(_: &Directory, _: &Principal, _: &Q) -> Result<Vec<Filter>, Refusal> {
    Ok(Vec::new())
}

/// A filter that is there only when something was asked for.
fn asked(
    make: fn(&'static str, Vec<Uuid>) -> Filter,
    column: &'static str,
    ids: Vec<Uuid>,
) -> Option<Filter> {
    (!ids.is_empty()).then(|| make(column, ids))
}

async fn employee_filters(
    _: &Directory,
    _: &Principal,
    request: &proto::ListEmployeesRequest,
) -> Result<Vec<Filter>, Refusal> {
    let departments = filter_ids("department_ids", &request.department_ids)?;
    let teams = filter_ids("team_ids", &request.team_ids)?;
    Ok([asked(Filter::Shares, "department_ids", departments), asked(Filter::Shares, "team_ids", teams)]
        .into_iter()
        .flatten()
        .collect())
}

async fn customer_user_filters(
    _: &Directory,
    _: &Principal,
    request: &proto::ListCustomerUsersRequest,
) -> Result<Vec<Filter>, Refusal> {
    let customers = filter_ids("customer_ids", &request.customer_ids)?;
    Ok(asked(Filter::AnyOf, "customer_id", customers).into_iter().collect())
}

/// What narrows devices to those that the caller may see; `None`: all of them. The same as
/// [`callboard_directory_domain::Entity::visible`].
pub(super) async fn seen_devices(
    directory: &Directory,
    principal: &Principal,
) -> Result<Option<Filter>, Refusal> {
    Ok(match &principal.subject {
        Subject::System => None,
        Subject::CodeUser(user) => Some(Filter::AnyOf("id", vec![user.device.uuid()])),
        Subject::CustomerUser(user) => Some(Filter::AnyOf("customer_id", vec![user.customer.uuid()])),
        Subject::Employee(employee) if employee.departments.is_empty() => None,
        Subject::Employee(employee) => {
            let own = employee.departments.iter().map(|id| id.uuid()).collect();
            match lookups::isolation(&directory.pool, principal.organisation).await? {
                Isolation::Off => None,
                Isolation::Basic => Some(Filter::SharesOrEmpty("department_ids", own)),
                Isolation::Strict => Some(Filter::Shares("department_ids", own)),
            }
        }
    })
}

/// People from outside see the templates of the devices they see; employees see all, since templates have no
/// departments.
pub(super) fn seen_templates(principal: &Principal) -> Option<Filter> {
    let of = match &principal.subject {
        Subject::System | Subject::Employee(_) => return None,
        Subject::CodeUser(user) => Filter::AnyOf("id", vec![user.device.uuid()]),
        Subject::CustomerUser(user) => Filter::AnyOf("customer_id", vec![user.customer.uuid()]),
    };
    Some(Filter::TemplateOf(Box::new(of)))
}

async fn template_filters(
    _: &Directory,
    principal: &Principal,
    _: &proto::ListTemplatesRequest,
) -> Result<Vec<Filter>, Refusal> {
    Ok(seen_templates(principal).into_iter().collect())
}

/// What was asked for, within what the caller may see.
async fn device_filters(
    directory: &Directory,
    principal: &Principal,
    request: &proto::ListDevicesRequest,
) -> Result<Vec<Filter>, Refusal> {
    let templates = filter_ids("template_ids", &request.template_ids)?;
    let customers = filter_ids("customer_ids", &request.customer_ids)?;
    let seen = seen_devices(directory, principal).await?;
    Ok([asked(Filter::AnyOf, "template_id", templates), asked(Filter::AnyOf, "customer_id", customers), seen]
        .into_iter()
        .flatten()
        .collect())
}

macro_rules! directory_service {
    ($($kind:ident, $field:ident, $plural:ident, $filters:ident,
        $create:ident($create_request:ident) -> $create_response:ident,
        $get:ident($get_request:ident) -> $get_response:ident,
        $list:ident($list_request:ident) -> $list_response:ident,
        $update:ident($update_request:ident) -> $update_response:ident,
        $delete:ident($delete_request:ident) -> $delete_response:ident;)*
    ) => {
        #[tonic::async_trait]
        impl DirectoryService for DirectoryApi {
            async fn get_organisation(
                &self,
                request: Request<proto::GetOrganisationRequest>,
            ) -> Result<Response<proto::GetOrganisationResponse>, Status> {
                respond(self.organisation(&request).await)
            }

            async fn update_organisation(
                &self,
                request: Request<proto::UpdateOrganisationRequest>,
            ) -> Result<Response<proto::UpdateOrganisationResponse>, Status> {
                let asked = request.get_ref();
                let updated = exposed::update::<Organisation, _>(
                    &self.0,
                    "update_organisation",
                    &request,
                    &asked.request_id,
                    asked.organisation.as_ref(),
                    asked.update_mask.as_ref(),
                );
                let wrap = |organisation| proto::UpdateOrganisationResponse { organisation: Some(organisation) };
                respond(updated.await.map(wrap))
            }

            $(
                async fn $create(
                    &self,
                    request: Request<proto::$create_request>,
                ) -> Result<Response<proto::$create_response>, Status> {
                    let asked = request.get_ref();
                    let (id, message) = (&asked.request_id, asked.$field.as_ref());
                    let created = exposed::create::<$kind, _>(&self.0, stringify!($create), &request, id, message);
                    respond(created.await.map(|message| proto::$create_response { $field: Some(message) }))
                }

                async fn $get(
                    &self,
                    request: Request<proto::$get_request>,
                ) -> Result<Response<proto::$get_response>, Status> {
                    let found = exposed::get::<$kind, _>(&self.0, &request, &request.get_ref().id);
                    respond(found.await.map(|message| proto::$get_response { $field: Some(message) }))
                }

                async fn $list(
                    &self,
                    request: Request<proto::$list_request>,
                ) -> Result<Response<proto::$list_response>, Status> {
                    let listed = async {
                        let asked = request.get_ref();
                        let page = Page {
                            page_size: asked.page_size,
                            page_token: &asked.page_token,
                            query: &asked.query,
                            filters: $filters(&self.0, &*principal(&request)?, asked).await?,
                            arguments: page_query(asked),
                        };
                        exposed::list::<$kind, _>(&self.0, &request, page).await
                    };
                    respond(listed.await.map(|($plural, next_page_token)| {
                        proto::$list_response { $plural, next_page_token }
                    }))
                }

                async fn $update(
                    &self,
                    request: Request<proto::$update_request>,
                ) -> Result<Response<proto::$update_response>, Status> {
                    let asked = request.get_ref();
                    let updated = exposed::update::<$kind, _>(
                        &self.0,
                        stringify!($update),
                        &request,
                        &asked.request_id,
                        asked.$field.as_ref(),
                        asked.update_mask.as_ref(),
                    );
                    respond(updated.await.map(|message| proto::$update_response { $field: Some(message) }))
                }

                async fn $delete(
                    &self,
                    request: Request<proto::$delete_request>,
                ) -> Result<Response<proto::$delete_response>, Status> {
                    let asked = request.get_ref();
                    let deleted = exposed::delete::<$kind, _>(
                        &self.0,
                        stringify!($delete),
                        &request,
                        &asked.request_id,
                        &asked.id,
                        &asked.etag,
                    );
                    respond(deleted.await.map(|()| proto::$delete_response {}))
                }
            )*
        }
    };
}

impl DirectoryApi {
    async fn organisation<Q>(&self, request: &Request<Q>) -> Result<proto::GetOrganisationResponse, Refusal> {
        let id = principal(request)?.organisation.to_string();
        let organisation = exposed::get::<Organisation, _>(&self.0, request, &id).await?;
        Ok(proto::GetOrganisationResponse { organisation: Some(organisation) })
    }
}

directory_service! {
    Employee, employee, employees, employee_filters,
        create_employee(CreateEmployeeRequest) -> CreateEmployeeResponse,
        get_employee(GetEmployeeRequest) -> GetEmployeeResponse,
        list_employees(ListEmployeesRequest) -> ListEmployeesResponse,
        update_employee(UpdateEmployeeRequest) -> UpdateEmployeeResponse,
        delete_employee(DeleteEmployeeRequest) -> DeleteEmployeeResponse;
    Department, department, departments, no_filters,
        create_department(CreateDepartmentRequest) -> CreateDepartmentResponse,
        get_department(GetDepartmentRequest) -> GetDepartmentResponse,
        list_departments(ListDepartmentsRequest) -> ListDepartmentsResponse,
        update_department(UpdateDepartmentRequest) -> UpdateDepartmentResponse,
        delete_department(DeleteDepartmentRequest) -> DeleteDepartmentResponse;
    Team, team, teams, no_filters,
        create_team(CreateTeamRequest) -> CreateTeamResponse,
        get_team(GetTeamRequest) -> GetTeamResponse,
        list_teams(ListTeamsRequest) -> ListTeamsResponse,
        update_team(UpdateTeamRequest) -> UpdateTeamResponse,
        delete_team(DeleteTeamRequest) -> DeleteTeamResponse;
    MetaTeam, meta_team, meta_teams, no_filters,
        create_meta_team(CreateMetaTeamRequest) -> CreateMetaTeamResponse,
        get_meta_team(GetMetaTeamRequest) -> GetMetaTeamResponse,
        list_meta_teams(ListMetaTeamsRequest) -> ListMetaTeamsResponse,
        update_meta_team(UpdateMetaTeamRequest) -> UpdateMetaTeamResponse,
        delete_meta_team(DeleteMetaTeamRequest) -> DeleteMetaTeamResponse;
    Customer, customer, customers, no_filters,
        create_customer(CreateCustomerRequest) -> CreateCustomerResponse,
        get_customer(GetCustomerRequest) -> GetCustomerResponse,
        list_customers(ListCustomersRequest) -> ListCustomersResponse,
        update_customer(UpdateCustomerRequest) -> UpdateCustomerResponse,
        delete_customer(DeleteCustomerRequest) -> DeleteCustomerResponse;
    CustomerUser, customer_user, customer_users, customer_user_filters,
        create_customer_user(CreateCustomerUserRequest) -> CreateCustomerUserResponse,
        get_customer_user(GetCustomerUserRequest) -> GetCustomerUserResponse,
        list_customer_users(ListCustomerUsersRequest) -> ListCustomerUsersResponse,
        update_customer_user(UpdateCustomerUserRequest) -> UpdateCustomerUserResponse,
        delete_customer_user(DeleteCustomerUserRequest) -> DeleteCustomerUserResponse;
    Device, device, devices, device_filters,
        create_device(CreateDeviceRequest) -> CreateDeviceResponse,
        get_device(GetDeviceRequest) -> GetDeviceResponse,
        list_devices(ListDevicesRequest) -> ListDevicesResponse,
        update_device(UpdateDeviceRequest) -> UpdateDeviceResponse,
        delete_device(DeleteDeviceRequest) -> DeleteDeviceResponse;
    Template, template, templates, template_filters,
        create_template(CreateTemplateRequest) -> CreateTemplateResponse,
        get_template(GetTemplateRequest) -> GetTemplateResponse,
        list_templates(ListTemplatesRequest) -> ListTemplatesResponse,
        update_template(UpdateTemplateRequest) -> UpdateTemplateResponse,
        delete_template(DeleteTemplateRequest) -> DeleteTemplateResponse;
}
