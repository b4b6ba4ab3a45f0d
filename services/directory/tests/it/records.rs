use callboard_kernel::{ErrorKind, Isolation};
use callboard_proto::common::v1::Role;
use callboard_proto::directory::v1 as proto;
use prost_types::FieldMask;

use crate::world::{Tenant, new_id, reason, refused, rid, signed};

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|&path| path.to_owned()).collect() })
}

async fn update(
    tenant: &Tenant,
    token: &str,
    employee: proto::Employee,
    paths: &[&str],
) -> Result<tonic::Response<proto::UpdateEmployeeResponse>, tonic::Status> {
    let message = proto::UpdateEmployeeRequest {
        request_id: rid(),
        employee: Some(employee),
        update_mask: mask(paths),
    };
    tenant.directory.clone().update_employee(signed(token, message)).await
}

#[tokio::test]
async fn d_1_an_employee_is_made_read_edited_and_removed() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (department, team) = (tenant.department("Service").await, tenant.team("North").await);
    let asked = proto::Employee {
        id: new_id().to_string(),
        name: "  Bea ".into(),
        email: tenant.email("BEA"),
        role: Role::Moderator.into(),
        language: "de-AT".into(),
        department_ids: vec![department.clone(), department.clone()],
        team_ids: vec![team.clone()],
        ..proto::Employee::default()
    };
    let made = tenant.create_employee(asked.clone()).await.unwrap().into_inner().employee.unwrap();
    assert_eq!((made.id.as_str(), made.name.as_str()), (asked.id.as_str(), "Bea"));
    assert_eq!((made.email.as_str(), made.language.as_str()), (tenant.email("bea").as_str(), "de"));
    assert_eq!((made.department_ids.as_slice(), made.etag.as_str()), (&[department][..], "\"1\""));
    let get = async || {
        let message = proto::GetEmployeeRequest { id: made.id.clone() };
        tenant.directory.clone().get_employee(signed(&tenant.admin, message)).await
    };
    assert_eq!(get().await.unwrap().into_inner().employee.unwrap(), made);
    let change = proto::Employee { name: "Beatrix".into(), role: Role::Member.into(), ..made.clone() };
    let edited = update(&tenant, &tenant.admin, change.clone(), &["name"]).await.unwrap().into_inner();
    let edited = edited.employee.unwrap();
    assert_eq!((edited.name.as_str(), edited.role()), ("Beatrix", Role::Moderator), "only the mask counts");
    let stale = update(&tenant, &tenant.admin, change, &["role"]).await;
    assert_eq!(refused(stale).kind, ErrorKind::Aborted, "AIP-154");
    let delete = proto::DeleteEmployeeRequest { request_id: rid(), id: made.id.clone(), etag: edited.etag };
    tenant.directory.clone().delete_employee(signed(&tenant.admin, delete.clone())).await.unwrap();
    tenant.directory.clone().delete_employee(signed(&tenant.admin, delete)).await.expect("AIP-155: a repeat");
    assert_eq!(reason(get().await), "NOT_FOUND");
    let kept: (String, String) = sqlx::query_as("select name, email from employee where id = $1")
        .bind(made.id.parse::<uuid::Uuid>().unwrap())
        .fetch_one(&tenant.pool)
        .await
        .unwrap();
    assert_eq!(kept, (String::new(), String::new()), "no personal data stays");
}

#[tokio::test]
async fn aip_155_the_same_request_makes_one_and_answers_the_same() {
    let tenant = Tenant::new(Isolation::Off).await;
    let employee = proto::Employee {
        name: "Cem".into(),
        email: tenant.email("cem"),
        role: Role::Member.into(),
        ..proto::Employee::default()
    };
    let message = proto::CreateEmployeeRequest { request_id: rid(), employee: Some(employee) };
    let mut client = tenant.directory.clone();
    let first = client.create_employee(signed(&tenant.admin, message.clone())).await.unwrap().into_inner();
    let again = client.create_employee(signed(&tenant.admin, message.clone())).await.unwrap().into_inner();
    assert_eq!(first, again);
    let other = proto::CreateEmployeeRequest {
        employee: Some(proto::Employee { name: "Dora".into(), ..message.employee.clone().unwrap() }),
        ..message
    };
    let reused = refused(client.create_employee(signed(&tenant.admin, other)).await);
    assert_eq!(reused.reason, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn aip_155_a_repeat_is_answered_after_what_it_named_has_gone() {
    let tenant = Tenant::new(Isolation::Off).await;
    let mut client = tenant.directory.clone();
    let (department, template) = (tenant.department("Here").await, tenant.template("Lift").await);
    let device = proto::Device {
        name: "L".into(),
        template_id: template,
        department_ids: vec![department.clone()],
        ..proto::Device::default()
    };
    let create = proto::CreateDeviceRequest { request_id: rid(), device: Some(device) };
    let made = client.create_device(signed(&tenant.admin, create.clone())).await.unwrap().into_inner();
    let id = made.device.as_ref().unwrap().id.clone();
    let delete = proto::DeleteDeviceRequest { request_id: rid(), id, etag: String::new() };
    client.delete_device(signed(&tenant.admin, delete)).await.unwrap();
    let delete = proto::DeleteDepartmentRequest { request_id: rid(), id: department, etag: String::new() };
    client.delete_department(signed(&tenant.admin, delete)).await.unwrap();
    let again = client.create_device(signed(&tenant.admin, create.clone())).await.unwrap().into_inner();
    assert_eq!(made, again);
    let other = proto::CreateDeviceRequest { request_id: rid(), ..create };
    assert_eq!(reason(client.create_device(signed(&tenant.admin, other)).await), "NOT_FOUND");
}

#[tokio::test]
async fn wrong_fields_are_named_all_at_once() {
    let tenant = Tenant::new(Isolation::Off).await;
    let employee = proto::Employee {
        name: String::new(),
        email: "nobody".into(),
        role: Role::Unspecified.into(),
        language: "xx".into(),
        department_ids: vec!["no".into()],
        ..proto::Employee::default()
    };
    let report = refused(tenant.create_employee(employee).await);
    let mut fields: Vec<&str> = report.violations.iter().map(|violation| violation.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "employee.department_ids[0]",
            "employee.email",
            "employee.language",
            "employee.name",
            "employee.role"
        ]
    );
    let (made, _) = tenant.employee("finn", Role::Member, &[]).await;
    let unknown = refused(update(&tenant, &tenant.admin, made.clone(), &["etag"]).await);
    assert_eq!(unknown.violations[0].field, "update_mask");
    let nothing = refused(update(&tenant, &tenant.admin, made.clone(), &[]).await);
    assert_eq!(nothing.violations[0].field, "update_mask");
    let foreign = Tenant::new(Isolation::Off).await.department("Theirs").await;
    let moved = proto::Employee { department_ids: vec![foreign.clone()], ..made };
    let told = refused(update(&tenant, &tenant.admin, moved, &["department_ids"]).await);
    assert_eq!(told.kind, ErrorKind::NotFound, "AIP-193: of another organisation");
    let theirs = told.resource.map(|resource| (resource.kind, resource.name));
    assert_eq!(theirs, Some(("department".to_owned(), foreign)));
}

#[tokio::test]
async fn nobody_gets_anything_without_a_token() {
    let tenant = Tenant::new(Isolation::Off).await;
    let mut client = tenant.directory.clone();
    assert_eq!(reason(client.get_organisation(proto::GetOrganisationRequest {}).await), "TOKEN_MISSING");
    assert_eq!(reason(client.list_devices(proto::ListDevicesRequest::default()).await), "TOKEN_MISSING");
    assert_eq!(
        reason(tenant.codes.clone().list_codes(proto::ListCodesRequest::default()).await),
        "TOKEN_MISSING"
    );
    assert_eq!(reason(tenant.me("").await), "TOKEN_MISSING");
}

#[tokio::test]
async fn a_stranger_of_another_organisation_finds_nothing() {
    let (tenant, stranger) = tokio::join!(Tenant::new(Isolation::Off), Tenant::new(Isolation::Off));
    let (employee, _) = tenant.employee("gil", Role::Member, &[]).await;
    let (device, code) = tenant.lift_with_code("").await;
    let mut client = stranger.directory.clone();
    let token = &stranger.admin;
    let id = employee.id.clone();
    let get = client.get_employee(signed(token, proto::GetEmployeeRequest { id: id.clone() })).await;
    assert_eq!(reason(get), "NOT_FOUND");
    let edit = update(&stranger, token, proto::Employee { etag: String::new(), ..employee }, &["name"]).await;
    assert_eq!(reason(edit), "NOT_FOUND");
    let delete = proto::DeleteEmployeeRequest { request_id: rid(), id, etag: String::new() };
    assert_eq!(reason(client.delete_employee(signed(token, delete)).await), "NOT_FOUND");
    let get = client.get_device(signed(token, proto::GetDeviceRequest { id: device.id.clone() })).await;
    assert_eq!(reason(get), "NOT_FOUND");
    let mut codes = stranger.codes.clone();
    let get = codes.get_code(signed(token, proto::GetCodeRequest { id: code.id.clone() })).await;
    assert_eq!(reason(get), "NOT_FOUND");
    let end = proto::EndCodeSessionsRequest { request_id: rid(), code_id: code.id.clone() };
    assert_eq!(reason(codes.end_code_sessions(signed(token, end)).await), "NOT_FOUND");
    let unpair =
        proto::UnpairCodeRequest { request_id: rid(), code_id: code.id.clone(), etag: String::new() };
    assert_eq!(reason(codes.unpair_code(signed(token, unpair)).await), "NOT_FOUND");
    let taken =
        proto::Device { id: device.id, template_id: stranger.template("T").await, ..Default::default() };
    let taken = proto::Device { name: "Mine".into(), ..taken };
    let create = proto::CreateDeviceRequest { request_id: rid(), device: Some(taken) };
    assert_eq!(reason(client.create_device(signed(token, create)).await), "ID_TAKEN");
    let own = client.list_employees(signed(token, proto::ListEmployeesRequest::default())).await.unwrap();
    assert_eq!(own.into_inner().employees.len(), 1, "the own administrator");
}

#[tokio::test]
async fn permission_table_is_kept() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (_, member) = tenant.employee("hanna", Role::Member, &[]).await;
    let (_, moderator) = tenant.employee("ivo", Role::Moderator, &[]).await;
    let (device, code) = tenant.lift_with_code("").await;
    let visitor = tenant.scan(&code.token, "").await.unwrap().into_inner().tokens.unwrap().access_token;
    let mut client = tenant.directory.clone();
    for token in [&member, &moderator, &visitor] {
        let employee = Some(proto::Employee::default());
        let create = proto::CreateEmployeeRequest { request_id: rid(), employee };
        assert_eq!(reason(client.create_employee(signed(token, create)).await), "PERMISSION_DENIED");
        let create = proto::CreateCodeRequest { request_id: rid(), ..Default::default() };
        assert_eq!(
            reason(tenant.codes.clone().create_code(signed(token, create)).await),
            "PERMISSION_DENIED"
        );
    }
    let delete = proto::DeleteDeviceRequest { request_id: rid(), id: device.id.clone(), etag: String::new() };
    assert_eq!(reason(client.delete_device(signed(&member, delete.clone())).await), "PERMISSION_DENIED");
    assert_eq!(reason(client.delete_device(signed(&visitor, delete)).await), "PERMISSION_DENIED");
    let list = proto::ListEmployeesRequest::default();
    assert_eq!(reason(client.list_employees(signed(&visitor, list.clone())).await), "PERMISSION_DENIED");
    assert!(client.list_employees(signed(&member, list)).await.is_ok());
    let users = proto::ListCustomerUsersRequest::default();
    assert_eq!(reason(client.list_customer_users(signed(&member, users.clone())).await), "PERMISSION_DENIED");
    assert!(client.list_customer_users(signed(&moderator, users)).await.is_ok());
    assert!(client.list_templates(signed(&visitor, proto::ListTemplatesRequest::default())).await.is_ok());
    assert!(client.get_organisation(signed(&visitor, proto::GetOrganisationRequest {})).await.is_ok());
}

#[tokio::test]
async fn aip_158_pages_follow_one_another_and_names_are_searched() {
    let tenant = Tenant::new(Isolation::Off).await;
    for name in ["Zug", "anlage A", "Anlage B", "Brücke", "Anlage C"] {
        tenant.team(name).await;
    }
    let mut client = tenant.directory.clone();
    let mut names = Vec::new();
    let mut request = proto::ListTeamsRequest { page_size: 2, ..Default::default() };
    loop {
        let page = client.list_teams(signed(&tenant.admin, request.clone())).await.unwrap().into_inner();
        assert!(page.teams.len() <= 2);
        names.extend(page.teams.into_iter().map(|team| team.name));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(names, ["anlage A", "Anlage B", "Anlage C", "Brücke", "Zug"]);
    request.query = "BRÜ".into();
    let bound = refused(client.list_teams(signed(&tenant.admin, request.clone())).await);
    assert_eq!(bound.violations[0].field, "page_token");
    request.page_token.clear();
    let found = client.list_teams(signed(&tenant.admin, request.clone())).await.unwrap().into_inner();
    assert_eq!(found.teams[0].name, "Brücke");
    for wrong in ["a\0b", "a\u{7}", &"x".repeat(201)] {
        let list = proto::ListTeamsRequest { query: wrong.into(), ..Default::default() };
        assert_eq!(
            refused(client.list_teams(signed(&tenant.admin, list)).await).violations[0].field,
            "query"
        );
        let list = proto::ListCodesRequest { query: wrong.into(), ..Default::default() };
        let listed = tenant.codes.clone().list_codes(signed(&tenant.admin, list)).await;
        assert_eq!(refused(listed).violations[0].field, "query");
    }
    request.query = "lage a%".into();
    let found = client.list_teams(signed(&tenant.admin, request)).await.unwrap().into_inner();
    assert!(found.teams.is_empty(), "no wild cards");
}

#[tokio::test]
async fn the_organisation_is_read_by_all_and_edited_by_administrators() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (_, member) = tenant.employee("jan", Role::Member, &[]).await;
    let organisation =
        proto::Organisation { isolation: proto::Isolation::Strict.into(), ..proto::Organisation::default() };
    let message = proto::UpdateOrganisationRequest {
        request_id: rid(),
        organisation: Some(organisation),
        update_mask: mask(&["isolation"]),
    };
    let mut client = tenant.directory.clone();
    let denied = client.update_organisation(signed(&member, message.clone())).await;
    assert_eq!(reason(denied), "PERMISSION_DENIED");
    let edited = client.update_organisation(signed(&tenant.admin, message)).await.unwrap().into_inner();
    let edited = edited.organisation.unwrap();
    assert_eq!((edited.isolation(), edited.name.as_str()), (proto::Isolation::Strict, "Nordlicht"));
    let read = client.get_organisation(signed(&member, proto::GetOrganisationRequest {})).await.unwrap();
    assert_eq!(read.into_inner().organisation.unwrap(), edited);
}

#[tokio::test]
async fn isolation_one_hands_out_only_ones_own_departments() {
    let tenant = Tenant::new(Isolation::Basic).await;
    let (north, south) = (tenant.department("North").await, tenant.department("South").await);
    let (_, confined) = tenant.employee("kai", Role::Administrator, &[&north]).await;
    let (person, _) = tenant.employee("lea", Role::Member, &[&north]).await;
    let with = |departments: &[&String]| proto::Employee {
        department_ids: departments.iter().map(|&id| id.clone()).collect(),
        etag: String::new(),
        ..person.clone()
    };
    let edit = async |departments: &[&String]| {
        update(&tenant, &confined, with(departments), &["department_ids"]).await
    };
    assert_eq!(reason(edit(&[&north, &south]).await), "FOREIGN_DEPARTMENT");
    assert_eq!(reason(edit(&[]).await), "FOREIGN_DEPARTMENT");
    assert!(update(&tenant, &tenant.admin, with(&[&north, &south]), &["department_ids"]).await.is_ok());
    assert_eq!(reason(edit(&[&north]).await), "FOREIGN_DEPARTMENT", "takes away another's");
    assert!(edit(&[&south]).await.is_ok());
}

#[tokio::test]
async fn customer_users_are_of_corporate_customers_and_go_with_them() {
    let tenant = Tenant::new(Isolation::Off).await;
    let private = tenant.customer(proto::CustomerKind::Private).await;
    let corporate = tenant.customer(proto::CustomerKind::Corporate).await;
    let user = |customer: &str| {
        let user = proto::CustomerUser {
            customer_id: customer.into(),
            name: "Mia".into(),
            email: tenant.email("mia"),
            ..proto::CustomerUser::default()
        };
        signed(
            &tenant.admin,
            proto::CreateCustomerUserRequest { request_id: rid(), customer_user: Some(user) },
        )
    };
    let mut client = tenant.directory.clone();
    let wrong = refused(client.create_customer_user(user(&private)).await);
    assert_eq!(wrong.violations[0].field, "customer_user.customer_id");
    let made =
        client.create_customer_user(user(&corporate)).await.unwrap().into_inner().customer_user.unwrap();
    let token = tenant.token(&made.email).await;
    let me = tenant.me(&token).await.unwrap().into_inner();
    assert_eq!(me.who, Some(proto::get_me_response::Who::CustomerUser(made.clone())));
    let same = proto::Employee {
        name: "Mia".into(),
        email: made.email.clone(),
        role: Role::Member.into(),
        ..proto::Employee::default()
    };
    assert_eq!(reason(tenant.create_employee(same).await), "EMAIL_TAKEN", "employees and customer users");
    let customer = proto::Customer {
        id: corporate.clone(),
        kind: proto::CustomerKind::Private.into(),
        ..proto::Customer::default()
    };
    let update = proto::UpdateCustomerRequest {
        request_id: rid(),
        customer: Some(customer),
        update_mask: mask(&["kind"]),
    };
    assert_eq!(reason(client.update_customer(signed(&tenant.admin, update)).await), "IN_USE");
    let delete = proto::DeleteCustomerRequest { request_id: rid(), id: corporate, etag: String::new() };
    client.delete_customer(signed(&tenant.admin, delete)).await.unwrap();
    callboard_testkit::eventually("the login is gone", callboard_testkit::PATIENCE, || async {
        match tenant.me(&token).await {
            Ok(_) => Err("still in".to_owned()),
            Err(status) => {
                let reason = callboard_service::error::report(&status).reason;
                if reason == "TOKEN_REVOKED" { Ok(()) } else { Err(reason) }
            }
        }
    })
    .await;
}
