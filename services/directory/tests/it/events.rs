//! What others hear, read from NATS as they would.

use callboard_kernel::Isolation;
use callboard_proto::Event as _;
use callboard_proto::common::v1::Role;
use callboard_proto::directory::v1 as proto;
use callboard_testkit::{PATIENCE, eventually};
use prost::Message as _;
use prost_types::FieldMask;

use crate::world::{Tenant, rid, signed};

/// Kinds and payloads of the organisation's published events, in order.
async fn published(tenant: &Tenant) -> Vec<(String, Vec<u8>)> {
    let sql = "select kind, payload from outbox where organisation_id = $1 and stream_seq is not null order by position";
    sqlx::query_as(sql).bind(tenant.id.uuid()).fetch_all(&tenant.pool).await.unwrap()
}

async fn heard(tenant: &Tenant, count: usize) -> Vec<(String, Vec<u8>)> {
    eventually("published", PATIENCE, || async {
        let events = published(tenant).await;
        let kinds: Vec<String> = events.iter().map(|(kind, _)| kind.clone()).collect();
        if events.len() >= count { Ok(events) } else { Err(kinds) }
    })
    .await
}

#[tokio::test]
async fn an_employees_life_is_told_with_before_and_after_and_without_personal_data() {
    let tenant = Tenant::new(Isolation::Off).await;
    let north = tenant.department("North").await;
    let (person, _) = tenant.employee("wanda", Role::Member, &[]).await;
    let change = proto::Employee {
        role: Role::Moderator.into(),
        department_ids: vec![north.clone()],
        etag: String::new(),
        ..person.clone()
    };
    let message = proto::UpdateEmployeeRequest {
        request_id: rid(),
        employee: Some(change),
        update_mask: Some(FieldMask { paths: vec!["role".into(), "department_ids".into()] }),
    };
    tenant.directory.clone().update_employee(signed(&tenant.admin, message)).await.unwrap();
    let delete =
        proto::DeleteEmployeeRequest { request_id: rid(), id: person.id.clone(), etag: String::new() };
    tenant.directory.clone().delete_employee(signed(&tenant.admin, delete)).await.unwrap();
    let events = heard(&tenant, 9).await;
    let kinds: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            proto::OrganisationChanged::TYPE,
            proto::EmployeeCreated::TYPE,
            proto::DepartmentChanged::TYPE,
            proto::EmployeeCreated::TYPE,
            proto::EmployeeDepartmentsChanged::TYPE,
            proto::EmployeeChanged::TYPE,
            proto::PrincipalTokensRevoked::TYPE,
            proto::EmployeeRemoved::TYPE,
            proto::PrincipalTokensRevoked::TYPE,
        ]
    );
    let moved = proto::EmployeeDepartmentsChanged::decode(events[4].1.as_slice()).unwrap();
    let (after, before) = (moved.employee.unwrap(), moved.previous.unwrap());
    assert_eq!((after.employee_id.as_str(), after.department_ids), (person.id.as_str(), vec![north]));
    assert_eq!((after.role, before.role), (Role::Moderator as i32, Role::Member as i32));
    assert!(before.department_ids.is_empty());
    let revoked: Vec<i64> = [6, 8]
        .map(|index| proto::PrincipalTokensRevoked::decode(events[index].1.as_slice()).unwrap().min_epoch)
        .into();
    assert_eq!(revoked, [1, 2]);
    for (kind, payload) in &events {
        let text = String::from_utf8_lossy(payload);
        assert!(!text.contains("wanda") && !text.contains('@'), "{kind}");
    }
}

#[tokio::test]
async fn a_codes_life_is_told_and_tries_of_its_pin_are_not() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (device, code) = tenant.lift_with_code("1234").await;
    tenant.scan(&code.token, "9999").await.unwrap_err();
    tenant.scan(&code.token, "1234").await.unwrap();
    let message =
        proto::UnpairCodeRequest { request_id: rid(), code_id: code.id.clone(), etag: String::new() };
    tenant.codes.clone().unpair_code(signed(&tenant.admin, message)).await.unwrap();
    let events = heard(&tenant, 7).await;
    let kinds: Vec<&str> = events.iter().skip(2).map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            proto::TemplateChanged::TYPE,
            proto::DeviceChanged::TYPE,
            proto::CodeChanged::TYPE,
            proto::CodeChanged::TYPE,
            proto::PrincipalTokensRevoked::TYPE,
        ]
    );
    let told = proto::DeviceChanged::decode(events[3].1.as_slice()).unwrap().device.unwrap();
    assert_eq!((told.name, told.serial_number), (device.name, device.serial_number));
    let unpaired = proto::CodeChanged::decode(events[5].1.as_slice()).unwrap();
    assert_eq!(unpaired.previous.unwrap().device_id, device.id);
    let now = unpaired.code.unwrap();
    assert_eq!((now.device_id.as_str(), now.active), ("", true));
    for (kind, payload) in &events {
        assert!(!String::from_utf8_lossy(payload).contains(&code.token), "{kind}");
    }
}
