//! Ratings of video sessions.

use callboard_kernel::Principal;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::video::v1 as video;
use callboard_stage::{done, id, refused, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use ratings::RatingState;
use uuid::Uuid;

use crate::house::House;

struct Called {
    house: House,
    device: Uuid,
    facts: video::SessionFacts,
}

impl Called {
    /// A session of a template whose sessions are rated, or not.
    async fn new(rated: bool) -> Self {
        let house = House::new().await;
        let switches = ratings::Switches {
            template_id: house.template.to_string(),
            video_sessions: rated,
            tickets: !rated,
            ..ratings::Switches::default()
        };
        let request = ratings::SetSwitchesRequest { request_id: request_id(), switches: Some(switches) };
        done(house.service().set_switches(signed(&house.boss(), request)).await).expect("switched");
        let device = id();
        let facts = video::SessionFacts {
            session_id: id().to_string(),
            organisation_id: house.organisation.to_string(),
            device_id: device.to_string(),
            template_id: house.template.to_string(),
            status: video::SessionStatus::Done.into(),
            visibility: video::Visibility::Public.into(),
            employee_id: id().to_string(),
            done_round: 1,
            ..video::SessionFacts::default()
        };
        Self { house, device, facts }
    }

    fn key(&self) -> Uuid {
        self.facts.session_id.parse().expect("an id")
    }

    async fn done(&self, version: i64, round: i32) {
        let facts = video::SessionFacts { done_round: round, ..self.facts.clone() };
        self.house.tell(self.key(), version, &video::SessionDone { session: Some(facts) }).await;
    }

    async fn rate(
        &self,
        who: &Principal,
        score: i32,
    ) -> Result<ratings::Rating, callboard_service::error::Report> {
        let request = ratings::SubmitRatingRequest {
            request_id: request_id(),
            subject_kind: ratings::SubjectKind::VideoSession.into(),
            subject_id: self.facts.session_id.clone(),
            score,
            ..ratings::SubmitRatingRequest::default()
        };
        Ok(done(self.house.service().submit_rating(signed(who, request)).await)?.rating.expect("a rating"))
    }

    async fn until(&self, state: RatingState) -> ratings::Rating {
        let boss = self.house.boss();
        eventually("a state", PATIENCE, || async {
            let request = ratings::GetRatingRequest {
                subject_kind: ratings::SubjectKind::VideoSession.into(),
                subject_id: self.facts.session_id.clone(),
            };
            let answer = done(self.house.service().get_rating(signed(&boss, request)).await);
            let rating = answer.map_err(|report| report.reason)?.rating.expect("a rating");
            if rating.state() == state { Ok(rating) } else { Err(format!("{rating:?}")) }
        })
        .await
    }
}

#[tokio::test]
async fn r_1_a_session_is_rated_by_its_guest_when_done_and_r_3_anew_after_reopening() {
    let called = Called::new(true).await;
    let guest = called.house.people.code_user(called.device);
    called.done(3, 1).await;
    called.until(RatingState::Requested).await;
    assert_eq!(refused(called.rate(&called.house.people.code_user(id()), 5).await), "NOT_FOUND");
    assert_eq!(refused(called.rate(&called.house.boss(), 5).await), "PERMISSION_DENIED");
    called.rate(&guest, 3).await.expect("rated");
    assert_eq!(refused(called.rate(&guest, 4).await), "ALREADY_RATED");
    // Reopened, called and DONE again: asked again.
    called.done(9, 2).await;
    called.until(RatingState::Requested).await;
    called.rate(&guest, 5).await.expect("rated");
    let told: Vec<ratings::RatingSubmitted> = {
        called.house.told(&called.facts.session_id, 4).await;
        called.house.stage.messages(called.key()).await
    };
    assert_eq!((told[1].score, told[1].previous_score), (5, 3));
    let facts = told[1].rating.clone().expect("facts");
    assert_eq!((facts.subject_kind(), facts.done_round), (ratings::SubjectKind::VideoSession, 2));
    assert_eq!(facts.involved_employee_ids, [called.facts.employee_id.as_str()]);
    called.house.stage.stop().await;
}

#[tokio::test]
async fn r_2_sessions_have_a_switch_of_their_own_and_internal_ones_are_not_asked_about() {
    // Tickets of the template are rated, its sessions not.
    let called = Called::new(false).await;
    called.done(1, 1).await;
    called.until(RatingState::Waived).await;
    called.house.stage.stop().await;
    let called = Called::new(true).await;
    called.done(1, 1).await;
    called.until(RatingState::Requested).await;
    let facts =
        video::SessionFacts { visibility: video::Visibility::Internal.into(), ..called.facts.clone() };
    let turned = video::SessionVisibilityChanged { session: Some(facts), ..Default::default() };
    called.house.tell(called.key(), 2, &turned).await;
    called.until(RatingState::Waived).await;
    called.house.stage.stop().await;
}

#[tokio::test]
async fn r_3_a_session_that_is_cancelled_or_reopened_is_not_asked_about_any_more() {
    let called = Called::new(true).await;
    called.done(1, 1).await;
    called.until(RatingState::Requested).await;
    let reopened = video::SessionReopened { session: Some(called.facts.clone()), ..Default::default() };
    called.house.tell(called.key(), 2, &reopened).await;
    called.until(RatingState::Withdrawn).await;
    let guest = called.house.people.code_user(called.device);
    assert_eq!(refused(called.rate(&guest, 5).await), "RATING_WITHDRAWN");
    called.house.stage.stop().await;
}
