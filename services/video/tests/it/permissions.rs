//! Who may what, and who sees what.

use std::collections::BTreeSet;

use callboard_kernel::{Principal, Role};
use callboard_proto::directory::v1 as directory;
use callboard_proto::video::v1 as video;
use callboard_stage::{done, fields, id, refused, signed};
use callboard_testkit::{PATIENCE, eventually};

use crate::house::House;

#[tokio::test]
async fn of_other_devices_customers_and_organisations_nothing_is_there() {
    let house = House::new().await;
    let session = house.create(&house.boss(), house.plan()).await.expect("made").id;
    let stranger = Principal { organisation: id().into(), ..house.boss() };
    for who in [house.people.code_user(id()), house.people.customer_user(id()), stranger.clone()] {
        assert_eq!(refused(house.get(&who, &session).await), "NOT_FOUND");
        assert_eq!(refused(house.join(&who, &session).await), "NOT_FOUND");
        assert_eq!(refused(house.cancel(&who, &session).await), "NOT_FOUND");
        assert!(house.list(&who, video::SessionFilter::default()).await.expect("a list").is_empty());
    }
    assert_eq!(refused(house.create(&stranger, house.plan()).await), "NOT_FOUND");
    assert_eq!(refused(house.request(&house.people.code_user(id()), house.wish()).await), "NOT_FOUND");
    // The two ways to make one are for the two kinds of people.
    assert_eq!(refused(house.create(&house.guest(), house.plan()).await), "PERMISSION_DENIED");
    assert_eq!(refused(house.request(&house.boss(), house.wish()).await), "PERMISSION_DENIED");
    for who in [house.guest(), house.people.customer_user(house.customer)] {
        assert_eq!(house.get(&who, &session).await.expect("it").id, session);
        assert_eq!(refused(house.cancel(&who, &session).await), "PERMISSION_DENIED");
    }
    // A member who has nothing to do with it sees it, and may change nothing.
    let member = house.people.member();
    house.get(&member, &session).await.expect("it");
    assert_eq!(refused(house.cancel(&member, &session).await), "PERMISSION_DENIED");
    assert_eq!(refused(house.join(&member, &session).await), "PERMISSION_DENIED");
    house.stage.stop().await;
}

#[tokio::test]
async fn v_7_internal_sessions_are_for_employees() {
    let house = House::new().await;
    let session = house.create(&house.boss(), house.plan()).await.expect("made").id;
    assert_eq!(refused(house.hide(&house.guest(), &session).await), "PERMISSION_DENIED");
    house.hide(&house.boss(), &session).await.expect("hidden");
    assert_eq!(refused(house.get(&house.guest(), &session).await), "NOT_FOUND");
    assert!(house.list(&house.guest(), video::SessionFilter::default()).await.expect("a list").is_empty());
    house.get(&house.people.member(), &session).await.expect("it");
    house.stage.stop().await;
}

#[tokio::test]
async fn the_devices_departments_decide_which_employees_see_a_session() {
    let house = House::new().await;
    let (ours, theirs) = (id(), id());
    let session = house.create(&house.boss(), house.plan()).await.expect("made").id;
    let organisation = directory::Organisation {
        isolation: directory::Isolation::Strict.into(),
        ..directory::Organisation::default()
    };
    let changed = directory::OrganisationChanged { organisation: Some(organisation), previous: None };
    house.stage.publish(house.people.id, house.people.id, 1, &changed).await;
    house.put_device(2, &[ours]).await;
    let colleague = house.people.employee(id(), Role::Moderator, &[ours]);
    let stranger = house.people.employee(id(), Role::Moderator, &[theirs]);
    eventually("isolation", PATIENCE, || async {
        let seen =
            (house.get(&colleague, &session).await.is_ok(), house.get(&stranger, &session).await.is_ok());
        if seen == (true, false) { Ok(()) } else { Err(seen) }
    })
    .await;
    assert_eq!(refused(house.create(&stranger, house.plan()).await), "NOT_FOUND");
    assert_eq!(refused(house.join(&stranger, &session).await), "NOT_FOUND");
    house.stage.stop().await;
}

#[tokio::test]
async fn a_sold_devices_sessions_are_neither_its_former_owners_any_more_nor_sold_along() {
    let house = House::new().await;
    let buyer = id();
    let (before, after) = (house.people.customer_user(house.customer), house.people.customer_user(buyer));
    let sellers = house.create(&house.boss(), house.plan()).await.expect("made").id;
    house.device_is(2, None, &[]).await;
    let nobodys = house.create(&house.boss(), house.plan()).await.expect("made").id;
    house.device_is(3, Some(buyer), &[]).await;
    let buyers = house.create(&house.boss(), house.plan()).await.expect("made").id;
    for (session, is_seen) in [(&sellers, false), (&nobodys, true), (&buyers, true)] {
        assert_eq!(refused(house.get(&before, session).await), "NOT_FOUND");
        assert_eq!(house.get(&after, session).await.is_ok(), is_seen);
        // Who sees it may start the call, on either side of the sale.
        assert_eq!(house.join(&after, session).await.is_ok(), is_seen);
        assert_eq!(refused(house.join(&before, session).await), "NOT_FOUND");
    }
    let seen = house.list(&after, video::SessionFilter::default()).await.expect("a list");
    let seen: BTreeSet<_> = seen.into_iter().map(|session| session.id).collect();
    assert_eq!(seen, BTreeSet::from([buyers, nobodys]));
    assert!(house.list(&before, video::SessionFilter::default()).await.expect("a list").is_empty());
    house.stage.stop().await;
}

#[tokio::test]
async fn flows_are_set_by_moderators_and_seen_from_outside_without_names() {
    let house = House::new().await;
    let (boss, guest) = (house.boss(), house.guest());
    let get = async |who: &Principal| {
        let request = video::GetSessionFlowRequest { template_id: house.template.to_string() };
        let answer = done(house.service().get_session_flow(signed(who, request)).await)?;
        Ok::<_, callboard_service::error::Report>(answer.session_flow.expect("a flow"))
    };
    let unset = get(&guest).await.expect("as it is before anybody set it");
    assert_eq!((unset.requests_allowed, unset.etag.as_str()), (false, "\"0\""));
    let flow = video::SessionFlow {
        requests_allowed: true,
        responsible_employee_ids: vec![id().to_string()],
        responsible_department_ids: vec![id().to_string()],
        ..video::SessionFlow::default()
    };
    for who in [house.people.member(), guest.clone()] {
        assert_eq!(refused(house.put_flow(&who, flow.clone()).await), "PERMISSION_DENIED");
    }
    house.put_flow(&boss, flow.clone()).await.expect("set");
    assert_eq!(get(&boss).await.expect("a flow").responsible_employee_ids, flow.responsible_employee_ids);
    let seen = get(&guest).await.expect("a flow");
    assert!(seen.requests_allowed && seen.responsible_employee_ids.is_empty());
    assert!(seen.responsible_department_ids.is_empty());
    assert_eq!(refused(get(&house.people.code_user(id())).await), "NOT_FOUND");
    let late = video::SessionFlow { etag: "\"7\"".into(), ..flow.clone() };
    assert_eq!(refused(house.put_flow(&boss, late).await), "ETAG_MISMATCH");
    let wrong = video::SessionFlow { responsible_employee_ids: vec!["x".into()], ..flow };
    assert_eq!(fields(house.put_flow(&boss, wrong).await), ["session_flow.responsible_employee_ids[0]"]);
    house.stage.stop().await;
}

#[tokio::test]
async fn aip_158_lists_are_paged_newest_first() {
    let house = House::new().await;
    let boss = house.boss();
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(house.create(&boss, house.plan()).await.expect("made").id);
    }
    made.reverse();
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = video::ListSessionsRequest { filter: None, page_size: 2, page_token };
        let page = done(house.service().list_sessions(signed(&boss, request)).await).expect("a page");
        found.extend(page.sessions.into_iter().map(|session| session.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, made);
    let mine = video::SessionFilter { mine: true, ..video::SessionFilter::default() };
    assert_eq!(house.list(&boss, mine.clone()).await.expect("a list").len(), 5);
    assert!(house.list(&house.people.member(), mine).await.expect("a list").is_empty());
    let wrong = video::SessionFilter {
        ratings: vec![6],
        device_ids: vec!["x".into()],
        ..video::SessionFilter::default()
    };
    assert_eq!(fields(house.list(&boss, wrong).await), ["filter.ratings", "filter.device_ids[0]"]);
    house.stage.stop().await;
}
