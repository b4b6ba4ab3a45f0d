//! Groups of templates (F-1).

use callboard_proto::directory::v1 as directory;
use callboard_proto::fleet::v1 as fleet;
use callboard_service::error::report;
use callboard_testkit::{PATIENCE, eventually};
use tonic::Code;

use crate::house::House;
use callboard_stage::{id, reason, signed};

#[tokio::test]
async fn f_1_groups_are_put_ordered_copied_and_deleted() {
    let house = House::new().await;
    let boss = house.boss();
    let one = house.put_group(house.group(&[id()])).await;
    let two = house.put_group(house.group(&[])).await;
    assert_eq!((one.etag.as_str(), two.etag.as_str()), ("\"1\"", "\"2\""));

    let order = |ids: Vec<String>, etag: &str| fleet::OrderGroupsRequest {
        request_id: id().to_string(),
        template_id: house.template.to_string(),
        group_ids: ids,
        etag: etag.to_owned(),
    };
    let both = vec![two.id.clone(), one.id.clone()];
    // AIP-154: somebody else was faster.
    let stale = house.group_service().order_groups(signed(&boss, order(both.clone(), "\"1\""))).await;
    assert_eq!(stale.expect_err("stale").code(), Code::Aborted);
    let ordered = house.group_service().order_groups(signed(&boss, order(both.clone(), "\"2\""))).await;
    let ordered: Vec<_> =
        ordered.expect("ordered").into_inner().groups.into_iter().map(|group| group.id).collect();
    assert_eq!(ordered, both);
    let partial = house.group_service().order_groups(signed(&boss, order(both[..1].to_vec(), ""))).await;
    assert_eq!(partial.expect_err("partial").code(), Code::InvalidArgument);

    // Copies get new ids and come last, the same for the same request.
    let other = id();
    let copy = fleet::CopyGroupsRequest {
        request_id: id().to_string(),
        from_template_id: house.template.to_string(),
        to_template_id: other.to_string(),
    };
    let unknown = house.group_service().copy_groups(signed(&boss, copy.clone())).await;
    assert_eq!(unknown.expect_err("no such template").code(), Code::NotFound);
    let template = directory::TemplateChanged {
        template_id: other.to_string(),
        organisation_id: house.organisation.to_string(),
        name: None,
    };
    house.tell(other, 1, &template).await;
    eventually("the template is known", PATIENCE, || house.groups(boss.clone(), other)).await;
    let copied = house.group_service().copy_groups(signed(&boss, copy.clone())).await;
    let copied = copied.expect("copied").into_inner().groups;
    assert_eq!(copied.len(), 2);
    assert!(copied.iter().all(|group| !both.contains(&group.id) && group.template_id == other.to_string()));
    let repeat = house.group_service().copy_groups(signed(&boss, copy)).await;
    assert_eq!(repeat.expect("a repeat").into_inner().groups, copied);

    let delete = fleet::DeleteGroupRequest {
        request_id: id().to_string(),
        template_id: house.template.to_string(),
        group_id: one.id.clone(),
        etag: String::new(),
    };
    house.group_service().delete_group(signed(&boss, delete.clone())).await.expect("deleted");
    let again = fleet::DeleteGroupRequest { request_id: id().to_string(), ..delete };
    let gone = house.group_service().delete_group(signed(&boss, again)).await;
    assert_eq!(gone.expect_err("gone").code(), Code::NotFound);
    let left: Vec<_> = house.groups(boss.clone(), house.template).await.expect("groups");
    assert_eq!(left.len(), 1);

    // A removed template takes its groups along.
    let removed = directory::TemplateRemoved {
        template_id: other.to_string(),
        organisation_id: house.organisation.to_string(),
    };
    house.tell(other, 2, &removed).await;
    let pool = house.stage.pool();
    eventually("its groups are gone", PATIENCE, || async {
        let left: i64 = sqlx::query_scalar("select count(*) from fleet.offer_group where aggregate_id = $1")
            .bind(other)
            .fetch_one(pool)
            .await
            .expect("a count");
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await;
    house.stage.stop().await;
}

#[tokio::test]
async fn wrong_groups_name_their_fields_and_unbuilt_strategies_say_so() {
    let house = House::new().await;
    let boss = house.boss();
    let put = async |group: fleet::Group| {
        let request = fleet::PutGroupRequest { request_id: id().to_string(), group: Some(group) };
        house.group_service().put_group(signed(&boss, request)).await.expect_err("refused")
    };
    let mut wrong = house.group(&[]);
    wrong.employee_ids = vec!["x".into()];
    wrong.required_workers = -1;
    let fields: Vec<_> = report(&put(wrong).await).violations.into_iter().map(|wrong| wrong.field).collect();
    assert_eq!(fields, ["group.required_workers", "group.employee_ids[0]"]);
    let nameless = fleet::Group { name: "  ".into(), ..house.group(&[]) };
    assert_eq!(report(&put(nameless).await).violations[0].field, "group.name");
    let strategy = fleet::Group { strategy: fleet::Strategy::Skills.into(), ..house.group(&[]) };
    let status = put(strategy).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "STRATEGY_UNIMPLEMENTED"));
    house.stage.stop().await;
}

#[tokio::test]
async fn aip_155_a_repeat_is_answered_after_the_template_and_the_employee_have_gone() {
    let house = House::new().await;
    let boss = house.boss();
    let employee = house.hire(&[], &[]).await;
    house.knows(1).await;
    let ticket = house.ticket();
    house.open(&ticket).await;
    let assign = fleet::AssignEmployeeRequest {
        request_id: id().to_string(),
        ticket_id: ticket.ticket_id.clone(),
        employee_id: employee.to_string(),
    };
    let assigned = house.fleet().assign_employee(signed(&boss, assign.clone())).await.expect("assigned");
    let put = fleet::PutGroupRequest { request_id: id().to_string(), group: Some(house.group(&[])) };
    let first = house.group_service().put_group(signed(&boss, put.clone())).await.expect("put");
    let facts = house.people.employee_facts(employee, &[], &[]);
    let removed = directory::EmployeeRemoved { employee: Some(facts) };
    house.tell(employee, 2, &removed).await;
    let removed =
        directory::TemplateRemoved { template_id: house.template.to_string(), ..Default::default() };
    house.tell(house.template, 2, &removed).await;
    eventually("both are known to be gone", PATIENCE, || async {
        let fresh = fleet::AssignEmployeeRequest { request_id: id().to_string(), ..assign.clone() };
        let someone = house.fleet().assign_employee(signed(&boss, fresh)).await.map(drop);
        let groups = house.groups(boss.clone(), house.template).await.map(drop);
        match (someone, groups) {
            (Err(one), Err(two)) if one.code() == Code::NotFound && two.code() == Code::NotFound => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let again = house.fleet().assign_employee(signed(&boss, assign)).await.expect("the same answer");
    assert_eq!(again.into_inner(), assigned.into_inner());
    let again = house.group_service().put_group(signed(&boss, put)).await.expect("the same answer");
    assert_eq!(again.into_inner(), first.into_inner());
    house.stage.stop().await;
}
