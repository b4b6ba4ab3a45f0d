//! Who may do what, and that nothing crosses.

use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::EventType;
use callboard_stage::{Organisation, done, fields, id, refused, request_id, signed};

use super::house::House;

#[tokio::test]
async fn a_drawer_is_its_owner_s_and_the_log_of_others_is_for_administrators() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[&nora]).await;
    let event = house.offer(&ticket, 1, &[&nora]).await;
    let entry = house.entry(&nora, EventType::Offer, |_| true).await;
    assert_eq!(house.entries(&emil).await, []);
    let mark = |ids: Vec<String>| proto::MarkEntriesRequest {
        request_id: request_id(),
        entry_ids: ids,
        unread: false,
    };
    let foreign = done(house.client().mark_entries(signed(&emil, mark(vec![entry.id.clone()]))).await);
    assert_eq!(refused(foreign), "NOT_FOUND");
    assert_eq!(house.unread(&nora).await, 1);
    let nothing = done(house.client().mark_entries(signed(&nora, mark(Vec::new()))).await);
    assert_eq!(fields(nothing), ["entry_ids"]);
    // The same id in another organisation is somebody else.
    let stranger = Organisation::new().person(nora.subject.clone());
    assert_eq!(house.entries(&stranger).await, []);

    let log = |everybody: bool| proto::ListDeliveriesRequest {
        event_id: event.to_string(),
        everybody,
        ..Default::default()
    };
    let denied = done(house.client().list_deliveries(signed(&house.people.moderator(), log(true))).await);
    assert_eq!(refused(denied), "PERMISSION_DENIED");
    let others = Organisation::new().administrator();
    let foreign = done(house.client().list_deliveries(signed(&others, log(true))).await);
    assert_eq!(foreign.expect("a log").deliveries, []);
    let own = done(house.client().list_deliveries(signed(&nora, log(false))).await).expect("a log");
    assert_eq!(own.deliveries.len(), 3);
    let visitor = house.visitor(ticket.device()).await;
    let clear = proto::ClearEntriesRequest { request_id: request_id() };
    let shared = done(house.client().clear_entries(signed(&visitor, clear.clone())).await);
    assert_eq!(refused(shared), "PERMISSION_DENIED");
    done(house.client().clear_entries(signed(&nora, clear)).await).expect("cleared");
    assert_eq!(house.entries(&nora).await, []);
    let nobody = house.client().list_entries(proto::ListEntriesRequest::default()).await;
    assert_eq!(refused(done(nobody)), "TOKEN_MISSING");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    for _ in 0..5 {
        let ticket = house.ticket(&[]).await;
        house.offer(&ticket, 1, &[&nora]).await;
        house.entry(&nora, EventType::Offer, |entry| entry.subject_id == ticket.id()).await;
    }
    let all: Vec<String> = house.entries(&nora).await.into_iter().map(|entry| entry.id).collect();
    let mut paged = Vec::new();
    let mut request = proto::ListEntriesRequest { page_size: 2, unread_only: true, ..Default::default() };
    loop {
        let page = done(house.client().list_entries(signed(&nora, request.clone())).await).expect("a page");
        paged.extend(page.entries.into_iter().map(|entry| entry.id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(paged, all);
    request.unread_only = false;
    let other = done(house.client().list_entries(signed(&nora, request)).await);
    assert_eq!(fields(other), ["page_token"]);
    let all_read = proto::MarkAllReadRequest { request_id: request_id(), up_to_position: 0 };
    let answer = done(house.client().mark_all_read(signed(&nora, all_read)).await).expect("read");
    assert_eq!(answer.unread, 0);
}

#[tokio::test]
async fn n_4_groups_are_made_changed_and_removed_by_moderators() {
    let house = House::new().await;
    let (boss, member) = (house.people.moderator(), house.people.member());
    let group = proto::Group { name: "Office".into(), ..Default::default() };
    let request_of = |group: &proto::Group| proto::CreateGroupRequest {
        request_id: id().to_string(),
        group: Some(group.clone()),
    };
    let denied = done(house.groups().create_group(signed(&member, request_of(&group))).await);
    assert_eq!(refused(denied), "PERMISSION_DENIED");
    let create = request_of(&group);
    let made = done(house.groups().create_group(signed(&boss, create.clone())).await).expect("made");
    let again = done(house.groups().create_group(signed(&boss, create)).await).expect("the same");
    assert_eq!(made, again);
    let mut made = made.group.expect("a group");
    let get = proto::GetGroupRequest { group_id: made.id.clone() };
    let seen = done(house.groups().get_group(signed(&member, get.clone())).await).expect("a group");
    assert_eq!(seen.group, Some(made.clone()));
    let stranger = Organisation::new().moderator();
    assert_eq!(refused(done(house.groups().get_group(signed(&stranger, get.clone())).await)), "NOT_FOUND");
    made.name = "Front".into();
    let update = proto::UpdateGroupRequest { request_id: request_id(), group: Some(made.clone()) };
    let foreign = done(house.groups().update_group(signed(&stranger, update.clone())).await);
    assert_eq!(refused(foreign), "NOT_FOUND");
    done(house.groups().update_group(signed(&boss, update)).await).expect("changed");
    let stale = proto::UpdateGroupRequest { request_id: request_id(), group: Some(made.clone()) };
    assert_eq!(refused(done(house.groups().update_group(signed(&boss, stale)).await)), "ETAG_MISMATCH");
    let list = house.groups().list_groups(signed(&member, proto::ListGroupsRequest::default())).await;
    let names: Vec<String> = done(list).expect("a list").groups.into_iter().map(|group| group.name).collect();
    assert_eq!(names, ["Front"]);
    let delete =
        proto::DeleteGroupRequest { request_id: request_id(), group_id: made.id, ..Default::default() };
    done(house.groups().delete_group(signed(&boss, delete)).await).expect("removed");
    assert_eq!(refused(done(house.groups().get_group(signed(&boss, get)).await)), "NOT_FOUND");
}
