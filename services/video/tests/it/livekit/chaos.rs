//! Many calls at once, with webhooks that are dropped, repeated and shuffled: what is known ends up as what the server has,
//! whoever was asked and in whatever order (V-10).

use callboard_kernel::Principal;
use callboard_service::StartOptions;
use callboard_testkit::{PATIENCE, eventually};
use futures::future::join_all;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::fake::Fake;
use super::{Joined, house, settings};
use crate::house::House;

/// Numbers that the seed decides (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `below` - 1.
    fn roll(&mut self, below: usize) -> usize {
        usize::try_from(self.next() % below as u64).expect("small")
    }
}

/// How webhooks arrive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mail {
    /// Some never.
    Lossy,
    /// All, some twice, none in order.
    Shuffled,
}

/// One call, and what has happened in it.
struct Play<'a> {
    house: &'a House,
    fake: &'a Fake,
    dice: Dice,
    session: String,
    people: [Principal; 2],
    /// Who joined last, on either side.
    seats: [Option<Joined>; 2],
    /// Sent, and not arrived.
    held: Vec<Value>,
}

impl Play<'_> {
    async fn step(&mut self, mail: Mail) {
        let side = self.dice.roll(2);
        match (self.dice.roll(5), self.seats[side].clone()) {
            // Joins, or joins anew from elsewhere, and connects or does not.
            (0, _) | (_, None) => {
                let joined = self.house.livekit(&self.people[side], &self.session).await.expect("joined");
                if self.dice.roll(4) > 0 {
                    self.fake.enter(&joined.token).expect("let in");
                }
                self.seats[side] = Some(joined);
            }
            (1 | 2, Some(seat)) => self.fake.leaves(&seat.room, &seat.identity),
            (_, Some(seat)) => drop(self.fake.enter(&seat.token).expect("let in")),
        }
        let Some(room) = self.seats.iter().flatten().next().map(|seat| seat.room.clone()) else { return };
        for said in self.fake.webhooks(&room) {
            let fate = self.dice.roll(4);
            if mail == Mail::Lossy && fate == 0 {
                continue;
            }
            if fate == 1 {
                self.held.push(said.clone());
            }
            self.held.push(said);
        }
        while !self.held.is_empty() && self.dice.roll(3) > 0 {
            self.deliver().await;
        }
    }

    async fn deliver(&mut self) {
        let at = self.dice.roll(self.held.len());
        let said = self.held.swap_remove(at);
        self.house.hear(&said).await;
    }

    /// Who of those that have a place is at the server, and whether nobody else is.
    fn truth(&self) -> ([bool; 2], bool) {
        let room = self.seats.iter().flatten().next().map(|seat| seat.room.clone()).unwrap_or_default();
        let people = self.fake.people(&room).unwrap_or_default();
        let there = |seat: &Option<Joined>| seat.as_ref().is_some_and(|seat| people.contains(&seat.identity));
        let there = [there(&self.seats[0]), there(&self.seats[1])];
        (there, people.len() == there.iter().filter(|there| **there).count())
    }

    async fn settles(&self, seed: u64) {
        eventually(&format!("seed {seed}"), PATIENCE, || async {
            let found = self.house.get(&self.people[1], &self.session).await.expect("a session");
            let call = found.call.unwrap_or_default();
            let (there, is_alone) = self.truth();
            let is_so = [call.guest_present, call.employee_present] == there;
            if is_so && is_alone { Ok(()) } else { Err((there, is_alone, found.call)) }
        })
        .await;
    }
}

async fn play(house: &House, fake: &Fake, seed: u64, mail: Mail) {
    let people = [house.guest(), house.boss()];
    let session = house.create(&people[1], house.plan()).await.expect("made").id;
    let (seats, held) = ([None, None], Vec::new());
    let mut play = Play { house, fake, dice: Dice(seed), session, people, seats, held };
    for _ in 0..15 {
        play.step(mail).await;
    }
    if mail == Mail::Shuffled {
        while !play.held.is_empty() {
            play.deliver().await;
        }
    }
    play.settles(seed).await;
    // V-4: and the end closes the room.
    house.end(&play.people[1], &play.session).await.expect("over");
    let room = play.seats.iter().flatten().next().map(|seat| seat.room.clone()).expect("somebody joined");
    super::until_people(fake, &room, None).await;
}

#[tokio::test]
async fn v_10_whatever_becomes_of_webhooks_asking_finds_out_and_a_replica_may_stop_meanwhile() {
    let (house, fake) = house("200ms", "10m").await;
    let mut options = StartOptions::default()
        .with("grpc.listen", "127.0.0.1:0")
        .with("admin.listen", "127.0.0.1:0")
        .with("auth.issuers", serde_json::json!([]))
        .with("database.url", house.stage.database().url())
        .with("nats.url", house.stage.broker().url())
        .with("shutdown.propagation_delay", "0ms")
        .with("shutdown.drain_timeout", "5s")
        .with("shutdown.hard_limit", "30s");
    for (path, value) in settings(&fake, "200ms", "10m") {
        options = options.with(path, value);
    }
    let metrics = callboard_service::telemetry::metrics();
    let (stop, definition) = (CancellationToken::new(), callboard_video::definition());
    let other = callboard_service::start(definition, options, metrics, stop).await.expect("it starts");
    let half =
        |seeds: std::ops::Range<u64>| join_all(seeds.map(|seed| play(&house, &fake, seed, Mail::Lossy)));
    half(0..8).await;
    // What it had in its hands, the first takes.
    let (_, stopped) = tokio::join!(half(8..16), other.stop());
    stopped.expect("it ends well");
    house.stage.stop().await;
}

#[tokio::test]
async fn v_10_webhooks_alone_are_enough_in_any_order_and_however_often() {
    // Nothing is asked but what webhooks, and our own commits, make us ask.
    let (house, fake) = house("5m", "10m").await;
    join_all((100..112).map(|seed| play(&house, &fake, seed, Mail::Shuffled))).await;
    house.stage.stop().await;
}
