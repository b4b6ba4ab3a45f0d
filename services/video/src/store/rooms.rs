//! Rooms that a provider's server keeps for calls, and when it is to be asked about them (V-10). Rows come with the commit
//! that begins a call (see `migrations/0003_rooms.sql`); any replica takes what is due, and a claim runs out by itself, so
//! that what was in the hands of a process that died is taken by another. By the database's clock, which all share.

use std::time::Duration;

use callboard_auth::Standing;
use callboard_journal::Pool;
use callboard_kernel::{OrganisationId, Timestamp};
use callboard_video_domain::{ConnectionId, SessionId};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::Sql;

/// How long a process has for one look before it is taken for dead.
const CLAIM: Duration = Duration::from_secs(30);
/// A server that does not answer is asked less often: up to eight times the interval.
const MOST_DOUBLINGS: i32 = 3;

/// The room of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Room {
    /// The tenant.
    pub organisation: OrganisationId,
    /// The session.
    pub session: SessionId,
    /// Which call of it: 1, 2, 3 …
    pub number: i32,
}

/// A room in this process' hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimedRoom {
    /// Which.
    pub room: Room,
    claimed_until: Timestamp,
    hints: i64,
}

/// What comes after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The call runs: again after so long.
    Again(Duration),
    /// The server gave no answer: again, later each time.
    Retry(Duration),
    /// The call is over and the room closed: again after `pause`, and no more once it has been closed for `kept`.
    Closed {
        /// Until the next look.
        pause: Duration,
        /// For how long tokens may still let somebody in.
        kept: Duration,
    },
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// By which joining.
    pub connection: ConnectionId,
    /// What the access token hangs on that they came with.
    pub standing: Standing,
}

/// The tables of rooms and seats.
#[derive(Debug, Clone)]
pub struct Rooms {
    pool: Pool,
}

/// Connection, and what its [`Standing`] is of.
type SeatRow = (Uuid, Vec<Uuid>, Timestamp, Option<i64>);
/// Session, number and organisation of a room, and a seat in it.
type PlacedRow = (Uuid, i32, Uuid, Uuid, Vec<Uuid>, Timestamp, Option<i64>);

fn seat((connection, keys, issued_at, epoch): SeatRow) -> Seat {
    Seat { connection: connection.into(), standing: Standing { keys, epoch, issued_at } }
}

fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}

impl Rooms {
    /// Those in this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Takes at most so many that are due into this process' hands, the longest due first.
    pub async fn claim(&self, most: u16) -> Sql<Vec<ClaimedRoom>> {
        let rows: Vec<(Uuid, i32, Uuid, Timestamp, i64)> = sqlx::query_as(
            "update call_room r set claimed_until = now() + $1 from (
                 select session_id, number from call_room
                 where due_at <= now() and (claimed_until is null or claimed_until <= now())
                 order by due_at limit $2 for update skip locked) due
             where r.session_id = due.session_id and r.number = due.number
             returning r.session_id, r.number, r.organisation_id, r.claimed_until, r.hints",
        )
        .bind(interval(CLAIM))
        .bind(i64::from(most))
        .fetch_all(&self.pool)
        .await?;
        let claimed = |(session, number, organisation, claimed_until, hints): (Uuid, i32, Uuid, _, _)| {
            let room = Room { organisation: organisation.into(), session: session.into(), number };
            ClaimedRoom { room, claimed_until, hints }
        };
        Ok(rows.into_iter().map(claimed).collect())
    }

    /// Lets it go. Whatever asked for a look meanwhile gets one at once.
    pub async fn release(&self, claimed: ClaimedRoom, next: Next) -> Sql<()> {
        let ClaimedRoom { room, claimed_until, hints } = claimed;
        if let Next::Closed { kept, .. } = next {
            let gone = sqlx::query(
                "delete from call_room where session_id = $1 and number = $2 and claimed_until = $3 and hints = $4
                 and closed_at <= now() - $5",
            )
            .bind(room.session.uuid())
            .bind(room.number)
            .bind(claimed_until)
            .bind(hints)
            .bind(interval(kept))
            .execute(&self.pool)
            .await?;
            if gone.rows_affected() > 0 {
                return self.forget_seats(room).await;
            }
        }
        let (pause, failed) = match next {
            Next::Again(pause) | Next::Closed { pause, .. } => (pause, false),
            Next::Retry(pause) => (pause, true),
        };
        sqlx::query(
            "update call_room set claimed_until = null,
                 closed_at = case when $7 then coalesce(closed_at, now()) else closed_at end,
                 failures = case when $6 then failures + 1 else 0 end,
                 due_at = case
                     when hints <> $4 then now()
                     when $6 then now() + $5 * power(2, least(failures, $8))
                     else now() + $5 end
             where session_id = $1 and number = $2 and claimed_until = $3",
        )
        .bind(room.session.uuid())
        .bind(room.number)
        .bind(claimed_until)
        .bind(hints)
        .bind(interval(pause))
        .bind(failed)
        .bind(matches!(next, Next::Closed { .. }))
        .bind(MOST_DOUBLINGS)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Asks for a look at a room at once. One that is not known here, of a session that is, may have been opened anew by
    /// a token that was forgotten: it is looked at too. Answers whether there is such a session.
    pub async fn hint(&self, session: SessionId, number: i32) -> Sql<bool> {
        let hinted = sqlx::query(
            "insert into call_room (session_id, number, organisation_id, due_at)
             select id, $2, organisation_id, now() from session where id = $1 and $2 between 1 and calls
             on conflict (session_id, number) do update set due_at = now(), hints = call_room.hints + 1",
        )
        .bind(session.uuid())
        .bind(number)
        .execute(&self.pool)
        .await?;
        Ok(hinted.rows_affected() > 0)
    }

    /// Somebody is let in.
    pub async fn seat(&self, room: Room, seat: &Seat) -> Sql<()> {
        sqlx::query(
            "insert into call_seat (connection_id, session_id, number, keys, issued_at, epoch)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (connection_id) do update set issued_at = excluded.issued_at, epoch = excluded.epoch",
        )
        .bind(seat.connection.uuid())
        .bind(room.session.uuid())
        .bind(room.number)
        .bind(&seat.standing.keys)
        .bind(seat.standing.issued_at)
        .bind(seat.standing.epoch)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Who was let in.
    pub async fn seats(&self, room: Room) -> Sql<Vec<Seat>> {
        let rows: Vec<SeatRow> = sqlx::query_as(
            "select connection_id, keys, issued_at, epoch from call_seat where session_id = $1 and number = $2",
        )
        .bind(room.session.uuid())
        .bind(room.number)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(seat).collect())
    }

    /// Who was let into calls that run, with the rooms.
    pub async fn all_seats(&self) -> Sql<Vec<(Room, Seat)>> {
        let rows: Vec<PlacedRow> = sqlx::query_as(
            "select r.session_id, r.number, r.organisation_id, s.connection_id, s.keys, s.issued_at, s.epoch
             from call_room r join call_seat s on s.session_id = r.session_id and s.number = r.number
             where r.closed_at is null",
        )
        .fetch_all(&self.pool)
        .await?;
        let one = |(session, number, organisation, connection, keys, issued_at, epoch): PlacedRow| {
            let room = Room { organisation: organisation.into(), session: session.into(), number };
            (room, seat((connection, keys, issued_at, epoch)))
        };
        Ok(rows.into_iter().map(one).collect())
    }

    async fn forget_seats(&self, room: Room) -> Sql<()> {
        sqlx::query("delete from call_seat where session_id = $1 and number = $2")
            .bind(room.session.uuid())
            .bind(room.number)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
