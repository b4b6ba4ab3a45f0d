//! Resources that are created, read, listed, edited and removed alike.

use serde::Deserialize;
use utoipa::IntoParams;

/// A page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Page {
    /// 0 or not given: 50; more than 200 counts as 200.
    pub page_size: i32,
    /// The `nextPageToken` of the page before.
    pub page_token: String,
}

/// Defines the five routes of a resource.
macro_rules! crud {
    (
        $(#[$doc:meta])*
        mod $module:ident, path $path:literal, tag $tag:literal, about $about:literal, client $client:ident,
        service $service:literal, resource $resource:ident as $field:ident, page $page:ident,
        writable [$($writable:literal),* $(,)?], filters { $($(#[$filter_doc:meta])* $filter:ident of $proto_filter:ident),* $(,)? },
        create $create:ident $create_request:ident $create_rpc:literal,
        get $get:ident $get_request:ident $get_rpc:literal,
        list $list:ident $list_request:ident $list_rpc:literal,
        update $update:ident $update_request:ident $update_rpc:literal,
        delete $delete:ident $delete_request:ident $delete_rpc:literal $(,)?
    ) => {
        $(#[$doc])*
        pub mod $module {
            use callboard_proto::directory::v1 as proto;
            use http::StatusCode;
            use serde::Deserialize;
            use utoipa::IntoParams;

            use crate::answer::{Answer, Gone, show, show_created, show_inner};
            use crate::call::{Call, Id};
            use crate::extract::{Json, Patch, Patchable, Query};
            use crate::model::directory::{$page, $resource};
            use crate::model::mirror::Mirror;
            use crate::openapi::{Resource, Route};
            use crate::routes::{ask, rpc};

            impl Patchable for $resource {
                const WRITABLE: &'static [&'static str] = &[$($writable),*];
            }

            /// Which page of which.
            #[derive(Debug, Clone, Default, Deserialize, IntoParams)]
            #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
            pub struct Asked {
                /// 0 or not given: 50; more than 200 counts as 200.
                page_size: i32,
                /// The `nextPageToken` of the page before.
                page_token: String,
                /// Words that the name contains; at most 200 characters.
                query: String,
                $($(#[$filter_doc])* $filter: Vec<String>,)*
            }

            async fn create(call: Call, Json(resource): Json<$resource>) -> Answer<$resource> {
                let request_id = call.request_uuid();
                let message = proto::$create_request { request_id, $field: Some(resource.back()) };
                show_created(ask!(call, $client.$create(message)).$field, $path)
            }

            async fn get(call: Call, Id(id): Id) -> Answer<$resource> {
                show_inner(ask!(call, $client.$get(proto::$get_request { id })).$field)
            }

            async fn list(call: Call, Query(asked): Query<Asked>) -> Answer<$page> {
                let Asked { page_size, page_token, query $(, $filter)* } = asked;
                let message = proto::$list_request { page_size, page_token, query $(, $proto_filter: $filter)* };
                show(ask!(call, $client.$list(message)))
            }

            async fn update(call: Call, Id(id): Id, patch: Patch<$resource>) -> Answer<$resource> {
                let mut resource = patch.resource.back();
                resource.etag = call.etag(Some(std::mem::take(&mut resource.etag)).filter(|etag| !etag.is_empty()));
                resource.id = id;
                let message = proto::$update_request {
                    request_id: call.request_uuid(),
                    $field: Some(resource),
                    update_mask: Some(prost_types::FieldMask { paths: patch.mask }),
                };
                show_inner(ask!(call, $client.$update(message)).$field)
            }

            async fn delete(call: Call, Id(id): Id) -> Gone {
                let message = proto::$delete_request { request_id: call.request_uuid(), id, etag: call.etag(None) };
                ask!(call, $client.$delete(message));
                Ok(StatusCode::NO_CONTENT)
            }

            /// The routes.
            pub fn resource() -> Resource {
                Resource {
                    tag: $tag,
                    about: $about,
                    routes: vec![
                        Route::get($path, list).rpc(rpc!($service, $list_rpc)).query::<Asked>().answers::<$page>()
                            .about(concat!("A page of ", $tag, ".")),
                        Route::post($path, create).rpc(rpc!($service, $create_rpc)).body::<$resource>().creates::<$resource>()
                            .about("Creates one; an `id` given by the caller is kept (AIP-133)."),
                        Route::get(concat!($path, "/{id}"), get).rpc(rpc!($service, $get_rpc)).answers::<$resource>()
                            .about("One of them."),
                        Route::patch(concat!($path, "/{id}"), update).rpc(rpc!($service, $update_rpc)).body::<$resource>()
                            .answers::<$resource>().conditional().about("Edits the fields in the body (AIP-134)."),
                        Route::delete(concat!($path, "/{id}"), delete).rpc(rpc!($service, $delete_rpc)).conditional()
                            .about("Removes one."),
                    ],
                }
            }
        }
    };
}
pub(crate) use crud;
