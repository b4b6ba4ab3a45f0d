//! Objects that no file names, files whose bytes are gone, and what uploads left whose process died.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use callboard_kernel::{Clock, IdGenerator, RandomIds};
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::bed::{Bed, Place, everywhere, png, s3};
use super::gate::{Gate, Then};
use crate::compare::Compared;

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A bed where the first comparison has been: from now on each is a day after the last.
async fn settled(bed: Bed) -> Bed {
    assert_eq!(
        bed.files.compare_in_turn(&CancellationToken::new()).await.unwrap(),
        None,
        "the first day all is as new"
    );
    bed.clock.advance(A_DAY);
    bed
}

/// Puts something where no file is, or no file of that name any more.
async fn stray(bed: &Bed) -> String {
    let key = bed.files.objects.key(bed.who.organisation.uuid(), RandomIds.next(), RandomIds.next());
    bed.files.objects.put(&key, Bytes::from_static(b"stray")).await.unwrap();
    key
}

async fn compared(bed: &Bed) -> Option<Compared> {
    bed.files.compare_in_turn(&CancellationToken::new()).await.unwrap()
}

async fn objects_that_nobody_knows_are_removed_when_nobody_knew_them_for_a_day(bed: Bed) {
    let bed = settled(bed).await;
    let file = bed.bring(&png()).await.unwrap();
    bed.files.round().await.unwrap();
    let key = bed.key(&file.id).await;
    let known = bed.objects().await;
    assert_eq!(known.len(), 2);
    // Of nobody; of a file, but of another attempt; a thumbnail of nothing; no name of ours.
    stray(&bed).await;
    let other = format!("{}-{}", key.rsplit_once('-').unwrap().0, RandomIds.next());
    for key in [&other, &format!("{other}.thumbnail"), "context/something else"] {
        bed.files.objects.put(key, Bytes::from_static(b"stray")).await.unwrap();
    }
    let noticed = Compared { noticed: 4, ..Compared::default() };
    assert_eq!(compared(&bed).await, Some(noticed));
    assert_eq!(bed.objects().await.len(), 6, "nothing is removed at first sight");
    assert_eq!(compared(&bed).await, None, "once a day");
    bed.clock.advance(A_DAY - Duration::from_secs(1));
    assert_eq!(compared(&bed).await, None);
    // Another that came since.
    let late = stray(&bed).await;
    // The uploader uses it: it does not stay pending.
    bed.clock.advance(Duration::from_secs(1));
    assert_eq!(compared(&bed).await, Some(Compared { removed: 4, noticed: 1, ..Compared::default() }));
    let mut left = known.clone();
    left.push(late);
    left.sort();
    assert_eq!(bed.objects().await, left);
    bed.clock.advance(A_DAY);
    assert_eq!(compared(&bed).await, Some(Compared { removed: 1, ..Compared::default() }));
    assert_eq!(bed.objects().await, known);
    assert!(bed.fetch(&file.id).await.unwrap() == png());
    bed.clock.advance(A_DAY);
    assert_eq!(compared(&bed).await, Some(Compared::default()));
}

async fn a_file_whose_bytes_are_gone_is_told_of_and_stays(bed: Bed) {
    let bed = settled(bed).await;
    let (lost, kept) = (bed.bring(&png()).await.unwrap(), bed.bring(&png()).await.unwrap());
    bed.files.round().await.unwrap();
    let (lost_key, kept_key) = (bed.key(&lost.id).await, bed.key(&kept.id).await);
    let bytes = bed.files.objects.read(&lost_key, 0..lost.size as u64).await.unwrap();
    bed.files.objects.remove(&lost_key).await.unwrap();
    bed.files.objects.remove(&format!("{kept_key}.thumbnail")).await.unwrap();
    let found = Compared { gone: 1, thumbnails: 1, ..Compared::default() };
    assert_eq!(compared(&bed).await, Some(found));
    // The row is all that is left to know what it was. A thumbnail is made again.
    assert_eq!(bed.stands(&lost.id).await.0, "PENDING");
    assert_eq!(bed.fetch(&lost.id).await.unwrap_err().reason, "NOT_FOUND");
    bed.files.round().await.unwrap();
    assert_eq!(bed.stands(&kept.id).await.2, "MADE");
    // It comes back from a backup of the store.
    bed.files.objects.put(&lost_key, bytes).await.unwrap();
    bed.clock.advance(A_DAY - Duration::from_secs(1));
    assert_eq!(compared(&bed).await, None);
    bed.clock.advance(Duration::from_secs(1));
    assert_eq!(compared(&bed).await, Some(Compared::default()));
    assert!(bed.fetch(&lost.id).await.unwrap() == png());
}

everywhere!(
    objects_that_nobody_knows_are_removed_when_nobody_knew_them_for_a_day,
    a_file_whose_bytes_are_gone_is_told_of_and_stays,
);

/// A database is restored that knows the object: it is no stray any more, and begins anew when it becomes one again.
#[tokio::test]
async fn an_object_that_is_known_again_is_no_stray() {
    let bed = settled(Bed::folder().await).await;
    let file = bed.bring(b"text").await.unwrap();
    let known_as = async |name: &str| {
        let sql = "update attachment set object_key = $1, change_time = $2";
        sqlx::query(sql).bind(name).bind(bed.clock.now()).execute(&bed.pool).await.unwrap();
    };
    let key = bed.key(&file.id).await;
    for _ in 0..2 {
        known_as("elsewhere").await;
        assert_eq!(compared(&bed).await.unwrap().noticed, 1);
        known_as(&key).await;
        bed.clock.advance(A_DAY);
        assert_eq!(compared(&bed).await, Some(Compared::default()));
        bed.clock.advance(A_DAY);
    }
    assert_eq!(bed.objects().await, [key]);
}

#[tokio::test]
async fn a_comparison_that_fails_is_made_again_in_an_hour_and_removes_nothing() {
    let gate = Gate::to(&s3().await.address()).await;
    let bed = Bed::behind(&gate.endpoint(), |settings| settings["timeout"] = "3s".into()).await;
    let bed = settled(bed).await;
    bed.bring(b"text").await.unwrap();
    gate.shut(Then::Closed);
    assert!(bed.files.compare_in_turn(&CancellationToken::new()).await.is_err());
    gate.open();
    assert_eq!(compared(&bed).await, None);
    bed.clock.advance(Duration::from_secs(3600));
    assert_eq!(compared(&bed).await, Some(Compared::default()));
    assert_eq!(bed.objects().await.len(), 1);
}

#[tokio::test]
async fn a_comparison_that_is_broken_off_by_a_stop_is_made_again_in_an_hour() {
    let bed = settled(Bed::folder().await).await;
    stray(&bed).await;
    let stopped = CancellationToken::new();
    stopped.cancel();
    assert_eq!(bed.files.compare_in_turn(&stopped).await.unwrap(), None);
    assert_eq!(compared(&bed).await, None);
    bed.clock.advance(Duration::from_secs(3600));
    assert_eq!(compared(&bed).await, Some(Compared { noticed: 1, ..Compared::default() }));
}

/// A comparison that fails half-way says nothing of what it noticed: the next one does, before anything is removed.
#[tokio::test]
async fn a_stray_is_told_of_until_it_is_removed() {
    let bed = settled(Bed::folder().await).await;
    let key = stray(&bed).await;
    sqlx::query("insert into attachment_stray (object_key, noticed_at, seen_at) values ($1, $2, $2)")
        .bind(&key)
        .bind(bed.clock.now() - TimeDelta::hours(1))
        .execute(&bed.files.rows.pool)
        .await
        .unwrap();
    assert_eq!(compared(&bed).await, Some(Compared { noticed: 1, ..Compared::default() }));
    bed.clock.advance(A_DAY);
    assert_eq!(compared(&bed).await, Some(Compared { removed: 1, ..Compared::default() }));
}

/// A bucket that is not there says "not found" of everything. It must not be taken for an object that is gone.
#[tokio::test]
async fn where_the_whole_bucket_is_not_there_nothing_is_forgotten() {
    let there = Bed::bucket().await;
    let file = there.bring(b"text").await.unwrap();
    let server = s3().await;
    let settings = super::bed::bucket_at(&server.endpoint(), server, "no-such-bucket");
    let elsewhere = Bed::with(&settings, Place::Bucket("no-such-bucket".to_owned())).await;
    let mut wrong = there.files.clone();
    wrong.objects = elsewhere.files.objects.clone();
    assert_eq!(elsewhere.bring(b"text").await.unwrap_err().reason, "UNAVAILABLE");
    let asked = crate::download::Asked { id: file.id.clone(), ..Default::default() };
    let refusal = wrong.download(Some(&there.who), asked).await.err().unwrap();
    assert_eq!(refusal.reason, "UNAVAILABLE");
    there.delete(&file.id).await.unwrap();
    assert!(wrong.round().await.is_err());
    assert_eq!(there.stands(&file.id).await.0, "PURGED");
    there.clock.advance(Duration::from_secs(301));
    there.files.round().await.unwrap();
    there.until_empty().await;
}

/// What a process was writing when it was killed is not listed, and is found all the same.
#[tokio::test]
async fn what_a_dead_process_was_writing_is_removed() {
    let bed = settled(Bed::folder().await).await;
    let Place::Folder(folder) = &bed.place else { panic!("a folder") };
    let file = bed.bring(b"text").await.unwrap();
    let key = bed.key(&file.id).await;
    let staged = |key: &str, number: u32, age: Duration| {
        let path = folder.join(format!("{key}#{number}"));
        std::fs::write(&path, "half").unwrap();
        let written = SystemTime::from(bed.clock.now()) - age;
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        path
    };
    // With its file, when that is removed.
    let (one, two) = (staged(&key, 1, Duration::ZERO), staged(&key, 2, Duration::ZERO));
    assert_eq!(bed.objects().await, std::slice::from_ref(&key));
    bed.delete(&file.id).await.unwrap();
    bed.files.round().await.unwrap();
    assert!(!one.exists() && !two.exists());
    // Of a file that nobody knows, once nothing was written to it for a day. Names of ours alone.
    let other = bed.bring(b"text").await.unwrap();
    let place = bed.key(&other.id).await.rsplit_once('/').unwrap().0.to_owned();
    let old = staged(&format!("{place}/a"), 1, A_DAY + Duration::from_secs(1));
    let young = staged(&format!("{place}/b"), 1, A_DAY - Duration::from_secs(1));
    let named = folder.join(format!("{place}/c#x"));
    std::fs::write(&named, "no number").unwrap();
    let long_ago = SystemTime::from(bed.clock.now() - TimeDelta::days(9));
    std::fs::File::options().write(true).open(&named).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(compared(&bed).await.unwrap().broken_off, 1);
    assert!(!old.exists() && young.exists() && named.exists());
}
