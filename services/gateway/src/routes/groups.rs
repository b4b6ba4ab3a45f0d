//! Groups: the part of a template that fleet owns (F-1).

use callboard_proto::fleet::v1 as proto;
use http::StatusCode;

use super::{ask, rpc};
use crate::answer::{Answer, Gone, Shown, show, show_inner};
use crate::call::{Call, Id, IdAndKey};
use crate::extract::Json;
use crate::model::fleet::{Group, GroupCopy, GroupList, GroupOrder};
use crate::model::mirror::Mirror;
use crate::openapi::{Resource, Route};

async fn list(call: Call, Id(template_id): Id) -> Answer<GroupList> {
    show(ask!(call, groups.list_groups(proto::ListGroupsRequest { template_id })))
}

async fn put(call: Call, IdAndKey(template_id, id): IdAndKey, Json(group): Json<Group>) -> Answer<Group> {
    let mut group: proto::Group = group.back();
    group.etag = call.etag(Some(std::mem::take(&mut group.etag)));
    let group = proto::Group { id, template_id, ..group };
    let message = proto::PutGroupRequest { request_id: call.request_uuid(), group: Some(group) };
    show_inner(ask!(call, groups.put_group(message)).group)
}

async fn delete(call: Call, IdAndKey(template_id, group_id): IdAndKey) -> Gone {
    let message = proto::DeleteGroupRequest {
        request_id: call.request_uuid(),
        template_id,
        group_id,
        etag: call.etag(None),
    };
    ask!(call, groups.delete_group(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn order(call: Call, Id(template_id): Id, Json(order): Json<GroupOrder>) -> Answer<GroupList> {
    let message = proto::OrderGroupsRequest {
        request_id: call.request_uuid(),
        template_id,
        group_ids: order.group_ids,
        etag: call.etag(None),
    };
    Ok(Shown::new(GroupList {
        groups: ask!(call, groups.order_groups(message)).groups.into_iter().map(Mirror::out).collect(),
    }))
}

async fn copy(call: Call, Id(to_template_id): Id, Json(copy): Json<GroupCopy>) -> Answer<GroupList> {
    let message = proto::CopyGroupsRequest {
        request_id: call.request_uuid(),
        from_template_id: copy.from_template_id,
        to_template_id,
    };
    Ok(Shown::new(GroupList {
        groups: ask!(call, groups.copy_groups(message)).groups.into_iter().map(Mirror::out).collect(),
    }))
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "groups",
        about: "Whom to offer a template's tickets to. Moderators and administrators.",
        routes: vec![
            Route::get("/v1/templates/{id}/groups", list)
                .rpc(rpc!("fleet.v1.GroupService", "ListGroups"))
                .answers::<GroupList>()
                .about("Groups of a template, in order."),
            Route::put("/v1/templates/{id}/groups/{groupId}", put)
                .rpc(rpc!("fleet.v1.GroupService", "PutGroup"))
                .body::<Group>()
                .answers::<Group>()
                .conditional()
                .about("Creates or replaces a group under the caller's id."),
            Route::delete("/v1/templates/{id}/groups/{groupId}", delete)
                .rpc(rpc!("fleet.v1.GroupService", "DeleteGroup"))
                .conditional()
                .about("Removes a group."),
            Route::post("/v1/templates/{id}/groups:order", order)
                .rpc(rpc!("fleet.v1.GroupService", "OrderGroups"))
                .body::<GroupOrder>()
                .answers::<GroupList>()
                .conditional()
                .about("Sets the order of a template's groups."),
            Route::post("/v1/templates/{id}/groups:copy", copy)
                .rpc(rpc!("fleet.v1.GroupService", "CopyGroups"))
                .body::<GroupCopy>()
                .answers::<GroupList>()
                .about("Copies all groups of another template to this one; they get new ids and come last."),
        ],
    }
}
