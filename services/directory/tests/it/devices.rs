use callboard_kernel::Isolation;
use callboard_proto::common::v1::Role;
use callboard_proto::directory::v1 as proto;
use callboard_testkit::{PATIENCE, eventually};

use crate::world::{Tenant, reason, refused, rid, signed};

async fn names(tenant: &Tenant, token: &str) -> Vec<String> {
    let list = proto::ListDevicesRequest::default();
    let page = tenant.directory.clone().list_devices(signed(token, list)).await.unwrap().into_inner();
    page.devices.into_iter().map(|device| device.name).collect()
}

fn device(name: &str, departments: &[&String]) -> proto::Device {
    let department_ids = departments.iter().map(|&id| id.clone()).collect();
    proto::Device { name: name.into(), department_ids, ..proto::Device::default() }
}

#[tokio::test]
async fn isolation_decides_which_devices_an_employee_sees() {
    for (isolation, seen) in [
        (Isolation::Off, &["a north", "b south", "c both", "d none"][..]),
        (Isolation::Basic, &["a north", "c both", "d none"]),
        (Isolation::Strict, &["a north", "c both"]),
    ] {
        let tenant = Tenant::new(isolation).await;
        let (north, south) = (tenant.department("North").await, tenant.department("South").await);
        let template = tenant.template("Lift").await;
        tenant.device(&template, device("a north", &[&north])).await;
        let hidden = tenant.device(&template, device("b south", &[&south])).await;
        tenant.device(&template, device("c both", &[&north, &south])).await;
        tenant.device(&template, device("d none", &[])).await;
        let (_, token) = tenant.employee("nils", Role::Moderator, &[&north]).await;
        assert_eq!(names(&tenant, &token).await, seen, "{isolation:?}");
        assert_eq!(names(&tenant, &tenant.admin).await.len(), 4, "without departments: all");
        let get = proto::GetDeviceRequest { id: hidden.id.clone() };
        let get = tenant.directory.clone().get_device(signed(&token, get)).await;
        let delete = proto::DeleteDeviceRequest { request_id: rid(), id: hidden.id, etag: String::new() };
        let delete = tenant.directory.clone().delete_device(signed(&token, delete)).await;
        if isolation == Isolation::Off {
            assert!(get.is_ok() && delete.is_ok());
        } else {
            assert_eq!((reason(get), reason(delete)), ("NOT_FOUND".into(), "NOT_FOUND".into()));
        }
    }
}

#[tokio::test]
async fn outsiders_see_their_own_devices_only() {
    let tenant = Tenant::new(Isolation::Strict).await;
    let customer = tenant.customer(proto::CustomerKind::Corporate).await;
    let (lift, code) = tenant.lift_with_code("").await;
    let theirs = proto::Device { customer_id: customer.clone(), ..device("Door", &[]) };
    let theirs = tenant.device(&lift.template_id, theirs).await;
    let user = proto::CustomerUser {
        customer_id: customer,
        name: "Ole".into(),
        email: tenant.email("ole"),
        ..proto::CustomerUser::default()
    };
    let create = proto::CreateCustomerUserRequest { request_id: rid(), customer_user: Some(user) };
    tenant.directory.clone().create_customer_user(signed(&tenant.admin, create)).await.unwrap();
    let company = tenant.token(&tenant.email("ole")).await;
    let visitor = tenant.scan(&code.token, "").await.unwrap().into_inner().tokens.unwrap().access_token;
    assert_eq!(names(&tenant, &company).await, ["Door"]);
    assert_eq!(names(&tenant, &visitor).await, ["Lift"]);
    // D-1: templates of other devices are none of theirs.
    let other = tenant.template("Secret").await;
    for (token, name) in [(&company, "Lift"), (&visitor, "Lift"), (&tenant.admin, "Lift, Secret")] {
        let list = signed(token, proto::ListTemplatesRequest::default());
        let page = tenant.directory.clone().list_templates(list).await.unwrap().into_inner();
        let names: Vec<String> =
            page.templates.into_iter().map(|found| found.name.unwrap().by_language["en"].clone()).collect();
        assert_eq!(names.join(", "), name);
        let own = signed(token, proto::GetTemplateRequest { id: lift.template_id.clone() });
        assert!(tenant.directory.clone().get_template(own).await.is_ok());
        let get = signed(token, proto::GetTemplateRequest { id: other.clone() });
        let get = tenant.directory.clone().get_template(get).await;
        assert!(if *token == tenant.admin { get.is_ok() } else { reason(get) == "NOT_FOUND" });
    }
    for (token, foreign) in [(&company, &lift.id), (&visitor, &theirs.id)] {
        let get = proto::GetDeviceRequest { id: foreign.clone() };
        assert_eq!(reason(tenant.directory.clone().get_device(signed(token, get)).await), "NOT_FOUND");
    }
}

#[tokio::test]
async fn what_has_devices_cannot_be_removed() {
    let tenant = Tenant::new(Isolation::Off).await;
    let department = tenant.department("North").await;
    let customer = tenant.customer(proto::CustomerKind::Private).await;
    let template = tenant.template("Lift").await;
    let asked = proto::Device { customer_id: customer.clone(), ..device("Lift", &[&department]) };
    let made = tenant.device(&template, asked).await;
    let mut client = tenant.directory.clone();
    let (request_id, etag) = (rid(), String::new());
    let delete_template = proto::DeleteTemplateRequest { request_id, id: template, etag };
    let delete_customer =
        proto::DeleteCustomerRequest { request_id: rid(), id: customer, etag: String::new() };
    let delete_department =
        proto::DeleteDepartmentRequest { request_id: rid(), id: department, etag: String::new() };
    let admin = &tenant.admin;
    let report = refused(client.delete_template(signed(admin, delete_template.clone())).await);
    assert_eq!((report.reason.as_str(), report.message.as_str()), ("IN_USE", "it still has devices"));
    assert_eq!(reason(client.delete_customer(signed(admin, delete_customer.clone())).await), "IN_USE");
    assert_eq!(reason(client.delete_department(signed(admin, delete_department.clone())).await), "IN_USE");
    let delete = proto::DeleteDeviceRequest { request_id: rid(), id: made.id, etag: made.etag };
    client.delete_device(signed(admin, delete)).await.unwrap();
    client.delete_template(signed(admin, delete_template)).await.unwrap();
    client.delete_customer(signed(admin, delete_customer)).await.unwrap();
    client.delete_department(signed(admin, delete_department)).await.unwrap();
}

#[tokio::test]
async fn a_removed_device_unpairs_its_codes() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (lift, code) = tenant.lift_with_code("").await;
    let delete = proto::DeleteDeviceRequest { request_id: rid(), id: lift.id, etag: String::new() };
    tenant.directory.clone().delete_device(signed(&tenant.admin, delete)).await.unwrap();
    eventually("the code leads nowhere", PATIENCE, || async {
        let get = signed(&tenant.admin, proto::GetCodeRequest { id: code.id.clone() });
        let now = tenant.codes.clone().get_code(get).await.unwrap().into_inner().code.unwrap();
        if now.device_id.is_empty() { Ok(()) } else { Err(now.device_id) }
    })
    .await;
    assert_eq!(reason(tenant.scan(&code.token, "").await), "CODE_UNPAIRED");
}

#[tokio::test]
async fn a_removed_team_is_dropped_wherever_it_is_named() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (north, south) = (tenant.team("North").await, tenant.team("South").await);
    let mut client = tenant.directory.clone();
    let admin = &tenant.admin;
    let person = proto::Employee {
        name: "Pia".into(),
        email: tenant.email("pia"),
        role: Role::Member.into(),
        team_ids: vec![north.clone(), south.clone()],
        ..proto::Employee::default()
    };
    let person = tenant.create_employee(person).await.unwrap().into_inner().employee.unwrap();
    let meta = proto::MetaTeam {
        name: "Service".into(),
        team_ids: vec![north.clone(), south.clone()],
        ..proto::MetaTeam::default()
    };
    let create = proto::CreateMetaTeamRequest { request_id: rid(), meta_team: Some(meta) };
    let meta = client.create_meta_team(signed(admin, create)).await.unwrap().into_inner().meta_team.unwrap();
    let customer = |team: &str| proto::Customer {
        name: "Ritz".into(),
        kind: proto::CustomerKind::Private.into(),
        serving_team_ids: [(meta.id.clone(), team.to_owned())].into(),
        ..proto::Customer::default()
    };
    let stray = tenant.team("Stray").await;
    let create = proto::CreateCustomerRequest { request_id: rid(), customer: Some(customer(&stray)) };
    let wrong = refused(client.create_customer(signed(admin, create)).await);
    assert!(wrong.violations[0].field.starts_with("customer.serving_team_ids"), "not of this meta team");
    let create = proto::CreateCustomerRequest { request_id: rid(), customer: Some(customer(&north)) };
    let served = client.create_customer(signed(admin, create)).await.unwrap().into_inner().customer.unwrap();
    let delete = proto::DeleteTeamRequest { request_id: rid(), id: north, etag: String::new() };
    client.delete_team(signed(admin, delete)).await.unwrap();
    eventually("dropped everywhere", PATIENCE, || async {
        let mut client = tenant.directory.clone();
        let get = signed(admin, proto::GetEmployeeRequest { id: person.id.clone() });
        let teams = client.get_employee(get).await.unwrap().into_inner().employee.unwrap().team_ids;
        let get = signed(admin, proto::GetMetaTeamRequest { id: meta.id.clone() });
        let meta = client.get_meta_team(get).await.unwrap().into_inner().meta_team.unwrap().team_ids;
        let get = signed(admin, proto::GetCustomerRequest { id: served.id.clone() });
        let serving = client.get_customer(get).await.unwrap().into_inner().customer.unwrap().serving_team_ids;
        if teams == [south.clone()] && meta == [south.clone()] && serving.is_empty() {
            Ok(())
        } else {
            Err((teams, meta, serving))
        }
    })
    .await;
}
