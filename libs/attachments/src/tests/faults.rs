//! A bucket whose server is away, slow, or breaks in the middle: a clear no, nothing lost, nothing half done.

use bytes::Bytes;
use callboard_kernel::ErrorKind;
use callboard_testkit::{PATIENCE, eventually, fresh_s3};
use chrono::TimeDelta;
use futures::StreamExt;
use std::time::Duration;
use tokio::time::{Instant, timeout};

use super::bed::{Bed, Place, bucket_at, new_bucket_name, png, s3, text};
use super::gate::{Gate, Then};
use crate::download::Asked;
use crate::objects::PART;

/// How long a request may take that is not answered: long enough for those that are, on a busy machine.
const SOON: &str = "3s";

async fn gated(timeout: &str) -> (Gate, Bed) {
    let gate = Gate::to(&s3().await.address()).await;
    let bed = Bed::behind(&gate.endpoint(), |settings| settings["timeout"] = timeout.into()).await;
    (gate, bed)
}

/// Later than any claim, and than what an upload that broke off is waited for.
fn later(bed: &Bed) {
    bed.clock.advance(TimeDelta::hours(2).to_std().unwrap());
}

#[tokio::test]
async fn while_the_server_is_away_all_is_refused_and_afterwards_all_is_there() {
    for then in [Then::Closed, Then::Silent] {
        let (gate, bed) = gated(SOON).await;
        let (kept, deleted) = (bed.bring(b"kept").await.unwrap(), bed.bring(b"deleted").await.unwrap());
        gate.shut(then);
        let begun = Instant::now();
        let small = bed.bring(b"small").await.unwrap_err();
        let large = bed.bring(&text(2 * PART)).await.unwrap_err();
        let read = bed.fetch(&kept.id).await.unwrap_err();
        for refusal in [small, large, read] {
            assert_eq!((refusal.kind, refusal.reason), (ErrorKind::Unavailable, "UNAVAILABLE"));
            assert!(!refusal.message.contains("127.0.0.1"), "{}", refusal.message);
        }
        assert!(begun.elapsed() < PATIENCE, "nobody waits for long: {:?}", begun.elapsed());
        // It is deleted, but not forgotten as long as its bytes are there.
        bed.delete(&deleted.id).await.unwrap();
        assert!(bed.files.round().await.is_err());
        assert_eq!(bed.stands(&deleted.id).await.0, "PURGED");
        gate.open();
        assert_eq!(bed.fetch(&kept.id).await.unwrap(), b"kept");
        later(&bed);
        eventually("what was refused to be gone", PATIENCE, || async {
            // What an upload could not remove itself is found by whoever looks after files.
            bed.files.round().await.unwrap();
            let left = (bed.known().await, bed.objects().await.len(), bed.parts().await);
            if left == ((1, 4), 1, 0) { Ok(()) } else { Err(left) }
        })
        .await;
    }
}

#[tokio::test]
async fn what_breaks_once_is_tried_again_and_nobody_notices() {
    let (gate, bed) = gated("20s").await;
    let bytes = text(3 * PART);
    for at in [100, PART / 2, PART + PART / 2, 3 * PART] {
        gate.break_towards(at, Then::Once);
        let file = bed.bring(&bytes).await.unwrap();
        assert!(bed.fetch(&file.id).await.unwrap() == bytes, "after {at} bytes");
        gate.break_back(at, Then::Once);
        assert!(bed.fetch(&file.id).await.unwrap() == bytes, "back after {at} bytes");
    }
    assert_eq!((bed.objects().await.len(), bed.parts().await), (4, 0));
}

#[tokio::test]
async fn an_upload_that_breaks_in_the_middle_is_no_file() {
    for then in [Then::Closed, Then::Silent] {
        let (gate, bed) = gated(SOON).await;
        gate.break_towards(PART + PART / 2, then);
        let refusal = bed.bring(&text(3 * PART)).await.unwrap_err();
        assert_eq!(refusal.reason, "UNAVAILABLE");
        gate.open();
        assert_eq!(bed.objects().await, Vec::<String>::new());
        later(&bed);
        bed.files.round().await.unwrap();
        assert_eq!(bed.known().await, (0, 0), "its room is given back");
        assert_eq!(bed.bring(&text(3 * PART)).await.unwrap().size, 3 * PART as i64);
    }
}

#[tokio::test]
async fn a_download_that_breaks_in_the_middle_never_looks_whole() {
    for then in [Then::Closed, Then::Silent] {
        let (gate, bed) = gated(SOON).await;
        let bytes = text(3 * PART);
        let file = bed.bring(&bytes).await.unwrap();
        gate.break_back(PART + PART / 2, then);
        let asked = Asked { id: file.id.clone(), ..Asked::default() };
        let (_, mut parts) = bed.files.download(Some(&bed.who), asked).await.unwrap();
        let (mut got, mut refusal) = (Vec::new(), None);
        while let Some(part) = parts.next().await {
            match part {
                Ok(part) => got.extend_from_slice(&part),
                Err(error) => refusal = Some(error),
            }
        }
        assert_eq!(refusal.expect("a no").reason, "UNAVAILABLE");
        assert!(got.len() < bytes.len() && bytes.starts_with(&got), "{} bytes", got.len());
    }
}

/// No request waits for whoever reads: it would end by its limit.
#[tokio::test]
async fn whoever_reads_slowly_gets_all_of_it() {
    let (_gate, bed) = gated(SOON).await;
    let bytes = text(4 * PART);
    let file = bed.bring(&bytes).await.unwrap();
    let asked = Asked { id: file.id, ..Asked::default() };
    let (_, mut parts) = bed.files.download(Some(&bed.who), asked).await.unwrap();
    let (mut got, mut paused) = (Vec::new(), false);
    while let Some(part) = parts.next().await {
        got.extend_from_slice(&part.unwrap());
        if !paused && got.len() > PART {
            paused = true;
            // Slow on purpose: longer than a request may take.
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
    }
    assert!(got == bytes && paused, "{} bytes", got.len());
}

#[tokio::test]
async fn a_thumbnail_is_tried_again_and_given_up_in_the_end() {
    let (gate, bed) = gated(SOON).await;
    let (file, hopeless) = (bed.bring(&png()).await.unwrap(), bed.bring(&png()).await.unwrap());
    gate.shut(Then::Closed);
    for _ in 0..4 {
        bed.files.round().await.unwrap();
        later(&bed);
    }
    assert_eq!(bed.stands(&hopeless.id).await.2, "WAITING");
    gate.open();
    bed.files.objects.remove(&bed.key(&hopeless.id).await).await.unwrap();
    bed.files.round().await.unwrap();
    assert_eq!(bed.stands(&file.id).await.2, "MADE");
    assert_eq!(bed.stands(&hopeless.id).await.2, "NONE");
}

/// One that cannot be removed does not keep the others from being removed.
#[tokio::test]
async fn a_purge_that_breaks_goes_on_with_what_is_left() {
    let (gate, bed) = gated(SOON).await;
    for _ in 0..3 {
        let file = bed.bring(b"text").await.unwrap();
        bed.delete(&file.id).await.unwrap();
    }
    gate.shut(Then::Closed);
    assert!(bed.files.round().await.is_err());
    gate.open();
    bed.files.round().await.unwrap();
    assert_eq!(bed.known().await.0, 1, "the one that failed waits, the others do not");
    later(&bed);
    bed.files.round().await.unwrap();
    bed.until_empty().await;
}

#[tokio::test]
async fn a_server_that_is_killed_has_all_that_was_taken_when_it_is_back() {
    let mut server = fresh_s3().await;
    let bucket = new_bucket_name();
    server.make_bucket(&bucket).await.unwrap();
    let mut settings = bucket_at(&server.endpoint(), &server, &bucket);
    settings["timeout"] = "2s".into();
    let bed = Bed::with(&settings, Place::Bucket(bucket.clone())).await;
    let bytes = text(2 * PART + 1);
    let file = bed.bring(&bytes).await.unwrap();
    let (sent, stream) = futures::channel::mpsc::unbounded();
    sent.unbounded_send(Ok(Bytes::from(text(2 * PART)))).unwrap();
    let mut upload = std::pin::pin!(bed.bring_pieces(stream));
    let seen = async {
        eventually("parts to be written", PATIENCE, || async {
            let parts = server.unfinished_uploads(&bucket).await.unwrap();
            if parts > 0 { Ok(()) } else { Err(parts) }
        })
        .await;
    };
    tokio::select! {
        () = seen => {}
        refusal = &mut upload => panic!("it is not over: {refusal:?}"),
    }
    server.kill().await.unwrap();
    sent.unbounded_send(Ok(Bytes::from(text(2 * PART)))).unwrap();
    drop(sent);
    let refusal = timeout(PATIENCE, upload).await.unwrap().unwrap_err();
    assert_eq!(refusal.reason, "UNAVAILABLE");
    assert_eq!(bed.fetch(&file.id).await.unwrap_err().reason, "UNAVAILABLE");
    server.restart().await.unwrap();
    assert!(bed.fetch(&file.id).await.unwrap() == bytes);
    later(&bed);
    bed.files.round().await.unwrap();
    assert_eq!((bed.known().await, bed.objects().await.len()), ((1, bytes.len() as i64), 1));
}
