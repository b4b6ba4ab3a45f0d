//! Who may do what: every RPC as a member, an outsider, a stranger and nobody.

use callboard_kernel::{Principal, Role};
use callboard_proto::ratings::v1 as ratings;
use callboard_service::error::report;
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::house::House;
use callboard_stage::{id, signed};

async fn codes(house: &House, who: Option<&Principal>, ticket: &str) -> Vec<(&'static str, Code)> {
    fn code<T>(outcome: Result<T, Status>) -> Code {
        outcome.map_or_else(|status| status.code(), |_| Code::Ok)
    }
    macro_rules! call {
        ($method:ident, $message:expr) => {{
            let request = match who {
                Some(who) => signed(who, $message),
                None => Request::new($message),
            };
            (stringify!($method), code(house.service().$method(request).await))
        }};
    }
    let subject_kind = ratings::SubjectKind::Ticket.into();
    let subject_id = ticket.to_owned();
    let template_id = house.template.to_string();
    vec![
        call!(get_rating, ratings::GetRatingRequest { subject_kind, subject_id: subject_id.clone() }),
        call!(
            submit_rating,
            ratings::SubmitRatingRequest {
                request_id: id().to_string(),
                subject_kind,
                subject_id,
                score: 5,
                comment: String::new()
            }
        ),
        call!(list_ratings, ratings::ListRatingsRequest::default()),
        call!(get_rating_figures, ratings::GetRatingFiguresRequest::default()),
        call!(get_switches, ratings::GetSwitchesRequest { template_id: template_id.clone() }),
        call!(
            set_switches,
            ratings::SetSwitchesRequest {
                request_id: id().to_string(),
                switches: Some(ratings::Switches { template_id, tickets: true, ..Default::default() })
            }
        ),
    ]
}

fn outcome(codes: Vec<(&'static str, Code)>) -> Vec<Code> {
    codes.into_iter().map(|(_, code)| code).collect()
}

#[tokio::test]
async fn everyone_gets_what_the_table_of_actors_says() {
    use Code::{NotFound, Ok, PermissionDenied, Unauthenticated};
    let house = House::new().await;
    house.switch(true).await;
    let ticket = house.ticket();
    house.done(&ticket).await;
    let ask = async |who: Option<&Principal>| outcome(codes(&house, who, &ticket.ticket_id).await);
    assert_eq!(ask(None).await, [Unauthenticated; 6]);
    let foreign = Uuid::from_u128(0xF0E);
    let stranger =
        Principal { organisation: foreign.into(), ..house.people.employee(id(), Role::Administrator, &[]) };
    // Lists of another organisation are that organisation's own: empty here.
    assert_eq!(ask(Some(&stranger)).await, [NotFound, NotFound, Ok, Ok, NotFound, NotFound]);
    let member = house.people.employee(id(), Role::Member, &[]);
    assert_eq!(ask(Some(&member)).await, [Ok, PermissionDenied, Ok, Ok, Ok, PermissionDenied]);
    assert_eq!(ask(Some(&house.boss())).await, [Ok, PermissionDenied, Ok, Ok, Ok, Ok]);
    let denied = PermissionDenied;
    let elsewhere = house.people.code_user(id());
    assert_eq!(ask(Some(&elsewhere)).await, [NotFound, NotFound, denied, denied, denied, denied]);
    let user = house.people.code_user(ticket.device_id.parse().expect("an id"));
    assert_eq!(ask(Some(&user)).await, [Ok, Ok, denied, denied, denied, denied]);
    house.stage.stop().await;
}

#[tokio::test]
async fn wrong_ratings_name_their_fields_and_a_ticket_is_no_session() {
    let house = House::new().await;
    house.switch(true).await;
    let ticket = house.ticket();
    house.done(&ticket).await;
    let user = house.people.code_user(ticket.device_id.parse().expect("an id"));
    let submit = async |request: ratings::SubmitRatingRequest| {
        house.service().submit_rating(signed(&user, request)).await.expect_err("refused")
    };
    let good = ratings::SubmitRatingRequest {
        request_id: id().to_string(),
        subject_kind: ratings::SubjectKind::Ticket.into(),
        subject_id: ticket.ticket_id.clone(),
        score: 5,
        comment: String::new(),
    };
    let wrong = ratings::SubmitRatingRequest { score: 6, comment: "x".repeat(2_001), ..good.clone() };
    let fields: Vec<_> =
        report(&submit(wrong).await).violations.into_iter().map(|wrong| wrong.field).collect();
    assert_eq!(fields, ["score", "comment"]);
    let nameless = ratings::SubmitRatingRequest { request_id: String::new(), ..good.clone() };
    assert_eq!(report(&submit(nameless).await).violations[0].field, "request_id");
    let session = ratings::SubmitRatingRequest {
        subject_kind: ratings::SubjectKind::VideoSession.into(),
        ..good.clone()
    };
    assert_eq!(submit(session).await.code(), Code::NotFound);
    // AIP-155: the same request again is the same answer, though rating twice is refused.
    let first = house.service().submit_rating(signed(&user, good.clone())).await.expect("rated");
    let again = house.service().submit_rating(signed(&user, good)).await.expect("the same answer");
    assert_eq!(first.into_inner(), again.into_inner());
    house.stage.stop().await;
}
