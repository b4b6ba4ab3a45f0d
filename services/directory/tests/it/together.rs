//! Two at once: what the database guards when looking before writing is not enough.

use callboard_kernel::Isolation;
use callboard_proto::common::v1::Role;
use callboard_proto::directory::v1 as proto;
use futures::future::join_all;
use prost_types::FieldMask;

use crate::world::{Tenant, reason, rid, signed};

#[tokio::test]
async fn two_employees_of_one_email_address_at_once_make_one() {
    let tenant = Tenant::new(Isolation::Off).await;
    let made = join_all((0..8).map(|number| {
        let employee = proto::Employee {
            name: format!("Twin {number}"),
            email: tenant.email("twin"),
            role: Role::Member.into(),
            ..proto::Employee::default()
        };
        tenant.create_employee(employee)
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for one in lost {
        assert_eq!(reason(one), "EMAIL_TAKEN");
    }
    let kept: i64 = sqlx::query_scalar("select count(*) from employee where email = $1 and not removed")
        .bind(tenant.email("twin"))
        .fetch_one(&tenant.pool)
        .await
        .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_freed_email_address_can_be_taken_again() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (first, _) = tenant.employee("tara", Role::Member, &[]).await;
    let delete = proto::DeleteEmployeeRequest { request_id: rid(), id: first.id, etag: String::new() };
    tenant.directory.clone().delete_employee(signed(&tenant.admin, delete)).await.unwrap();
    tenant.employee("tara", Role::Member, &[]).await;
}

#[tokio::test]
async fn at_least_one_administrator_remains_when_all_leave_at_once() {
    let tenant = Tenant::new(Isolation::Off).await;
    let mut admins = vec![(tenant.admin_id.to_string(), tenant.admin.clone())];
    for name in ["una", "vera"] {
        let (made, token) = tenant.employee(name, Role::Administrator, &[]).await;
        admins.push((made.id, token));
    }
    let left = join_all(admins.iter().enumerate().map(|(number, (id, token))| {
        let mut client = tenant.directory.clone();
        async move {
            if number == 0 {
                let delete =
                    proto::DeleteEmployeeRequest { request_id: rid(), id: id.clone(), etag: String::new() };
                client.delete_employee(signed(token, delete)).await.map(drop)
            } else {
                let employee = proto::Employee {
                    id: id.clone(),
                    role: Role::Member.into(),
                    ..proto::Employee::default()
                };
                let update = proto::UpdateEmployeeRequest {
                    request_id: rid(),
                    employee: Some(employee),
                    update_mask: Some(FieldMask { paths: vec!["role".into()] }),
                };
                client.update_employee(signed(token, update)).await.map(drop)
            }
        }
    }))
    .await;
    let refused: Vec<String> = left
        .into_iter()
        .filter_map(Result::err)
        .map(|status| callboard_service::error::report(&status).reason)
        .collect();
    assert_eq!(refused, ["LAST_ADMINISTRATOR"]);
    let remaining: i64 = sqlx::query_scalar(
        "select count(*) from employee where organisation_id = $1 and role = 'administrator' and not removed",
    )
    .bind(tenant.id.uuid())
    .fetch_one(&tenant.pool)
    .await
    .unwrap();
    assert_eq!(remaining, 1);
}

#[tokio::test]
async fn a_template_is_removed_or_gets_a_device_but_not_both() {
    let tenant = Tenant::new(Isolation::Off).await;
    for _ in 0..8 {
        let template = tenant.template("Race").await;
        let device = proto::Device { name: "D".into(), template_id: template.clone(), ..Default::default() };
        let create = proto::CreateDeviceRequest { request_id: rid(), device: Some(device) };
        let delete = proto::DeleteTemplateRequest { request_id: rid(), id: template, etag: String::new() };
        let (mut one, mut two) = (tenant.directory.clone(), tenant.directory.clone());
        let (made, removed) = tokio::join!(
            one.create_device(signed(&tenant.admin, create)),
            two.delete_template(signed(&tenant.admin, delete)),
        );
        match (made, removed) {
            (Ok(_), refused) => assert_eq!(reason(refused), "IN_USE"),
            (refused, Ok(_)) => assert_eq!(reason(refused), "NOT_FOUND"),
            (Err(one), Err(two)) => panic!("both lost: {one} {two}"),
        }
    }
}

/// Whoever looks before writing is nearly always in time, so the guard itself is asked here.
#[tokio::test]
async fn the_database_refuses_a_second_person_of_one_email_address() {
    let tenant = Tenant::new(Isolation::Off).await;
    let twin = sqlx::query(
        "insert into employee select $1, organisation_id, version, names, removed, created_at, updated_at, name,
         email, role, language, department_ids, team_ids, auth_epoch from employee where id = $2",
    )
    .bind(crate::world::new_id())
    .bind(tenant.admin_id)
    .execute(&tenant.pool)
    .await;
    assert!(twin.unwrap_err().to_string().contains("email_claim_unique"));
    let swapped = sqlx::query("update employee set department_ids = $1 where id = $2")
        .bind(serde_json::json!([tenant.admin_id]))
        .bind(tenant.admin_id)
        .execute(&tenant.pool)
        .await;
    assert!(swapped.unwrap_err().to_string().contains("callboard:NO_SUCH:department"));
}
