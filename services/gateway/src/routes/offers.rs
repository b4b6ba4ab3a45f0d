//! Offers (F-3, F-5, F-7).

use callboard_proto::fleet::v1 as proto;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ask, rpc};
use crate::answer::{Answer, show, show_inner};
use crate::call::{Call, Id};
use crate::extract::{OptionalJson, Query};
use crate::model::fleet::{Decline, Offer, OfferPage, OfferStatus};
use crate::openapi::{Resource, Route};

/// Which offers.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    /// Not given: the caller's own offers on all tickets.
    ticket_id: String,
    /// Not given: any; repeat it for several.
    #[param(inline)]
    status: Vec<OfferStatus>,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

async fn list(call: Call, Query(asked): Query<Asked>) -> Answer<OfferPage> {
    let message = proto::ListOffersRequest {
        ticket_id: asked.ticket_id,
        statuses: OfferStatus::numbers(asked.status),
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, fleet.list_offers(message)))
}

async fn get(call: Call, Id(offer_id): Id) -> Answer<Offer> {
    show_inner(ask!(call, fleet.get_offer(proto::GetOfferRequest { offer_id })).offer)
}

async fn accept(call: Call, Id(offer_id): Id) -> Answer<Offer> {
    let message = proto::AcceptOfferRequest { request_id: call.request_uuid(), offer_id };
    show_inner(ask!(call, fleet.accept_offer(message)).offer)
}

async fn decline(call: Call, Id(offer_id): Id, OptionalJson(why): OptionalJson<Decline>) -> Answer<Offer> {
    let message = proto::DeclineOfferRequest {
        request_id: call.request_uuid(),
        offer_id,
        reason: why.reason.unwrap_or_default(),
    };
    show_inner(ask!(call, fleet.decline_offer(message)).offer)
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "offers",
        about: "Invitations to one employee to take one ticket.",
        routes: vec![
            Route::get("/v1/offers", list)
                .rpc(rpc!("fleet.v1.FleetService", "ListOffers"))
                .query::<Asked>()
                .answers::<OfferPage>()
                .about("Offers of a ticket, or the caller's own, newest first."),
            Route::get("/v1/offers/{id}", get)
                .rpc(rpc!("fleet.v1.FleetService", "GetOffer"))
                .answers::<Offer>()
                .about("One offer."),
            Route::post("/v1/offers/{id}:accept", accept)
                .rpc(rpc!("fleet.v1.FleetService", "AcceptOffer"))
                .answers::<Offer>()
                .about("Takes the ticket. Own offer only (F-5, F-7)."),
            Route::post("/v1/offers/{id}:decline", decline)
                .rpc(rpc!("fleet.v1.FleetService", "DeclineOffer"))
                .body::<Decline>()
                .answers::<Offer>()
                .about("Does not take the ticket. Own offer only (F-5)."),
        ],
    }
}
