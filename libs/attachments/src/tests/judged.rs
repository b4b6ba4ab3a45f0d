//! Judging a file again: the scanner was away, its process died in the middle, there is none any more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use callboard_kernel::{Clock, ErrorKind, Refusal};
use futures::TryStreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use super::bed::{Bed, png};
use crate::scan::{Scanner, Verdict};

/// Answers what it is given to answer, and counts what it was asked.
#[derive(Debug, Default)]
struct Given {
    answers: Mutex<VecDeque<Option<Verdict>>>,
    asked: Mutex<Vec<usize>>,
}

impl Given {
    fn new(answers: impl IntoIterator<Item = Option<Verdict>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() })
    }

    /// How many bytes it was shown, each time.
    fn asked(&self) -> Vec<usize> {
        self.asked.lock().unwrap().clone()
    }
}

impl Scanner for Given {
    fn scan<'a>(
        &'a self,
        bytes: BoxStream<'static, Result<Bytes, Refusal>>,
    ) -> BoxFuture<'a, Result<Verdict, Refusal>> {
        Box::pin(async move {
            let shown = bytes.try_fold(0, |all, part| async move { Ok(all + part.len()) }).await?;
            self.asked.lock().unwrap().push(shown);
            let answer = self.answers.lock().unwrap().pop_front().flatten();
            answer.ok_or_else(|| Refusal::new(ErrorKind::Unavailable, "UNAVAILABLE", "the scanner is away"))
        })
    }
}

async fn scanned(scanner: &Arc<Given>) -> Bed {
    let mut bed = Bed::folder().await;
    bed.files = bed.files.clone().scanned_by(Some(Arc::<Given>::clone(scanner)));
    bed
}

/// Longer than a file is one worker's.
const CLAIMED: Duration = Duration::from_secs(301);

async fn told(bed: &Bed, id: &str) -> &'static str {
    bed.fetch(id).await.map_or_else(|refusal| refusal.reason, |_| "HANDED_OUT")
}

#[tokio::test]
async fn a_file_is_locked_away_until_it_is_judged_however_often_the_scanner_is_away() {
    // More often than thumbnails are tried.
    let away = std::iter::repeat_n(None, 7);
    let scanner = Given::new(away.chain([Some(Verdict::Clean)]));
    let bed = scanned(&scanner).await;
    let picture = png();
    let file = bed.bring(&picture).await.unwrap();
    for times in 1..=7 {
        bed.files.round().await.unwrap();
        assert_eq!(told(&bed, &file.id).await, "ATTACHMENT_NOT_SCANNED");
        // Not again at once.
        bed.files.round().await.unwrap();
        assert_eq!(scanner.asked().len(), times);
        bed.clock.advance(CLAIMED);
    }
    bed.files.round().await.unwrap();
    assert_eq!(scanner.asked(), [picture.len(); 8], "all of it, each time");
    assert_eq!(bed.stands(&file.id).await, ("PENDING".into(), "CLEAN".into(), "MADE".into()));
    assert_eq!(told(&bed, &file.id).await, "HANDED_OUT");
}

#[tokio::test]
async fn a_verdict_stands_also_when_the_thumbnail_fails_and_is_not_asked_for_again() {
    let scanner = Given::new([Some(Verdict::Clean)]);
    let bed = scanned(&scanner).await;
    let file = bed.bring(&png()).await.unwrap();
    // Where the thumbnail would be is something else.
    let place = match &bed.place {
        super::bed::Place::Folder(folder) => folder.join(format!("{}.thumbnail", bed.key(&file.id).await)),
        super::bed::Place::Bucket(_) => panic!("a folder"),
    };
    std::fs::create_dir(&place).unwrap();
    bed.files.round().await.unwrap();
    assert_eq!(bed.stands(&file.id).await, ("PENDING".into(), "CLEAN".into(), "WAITING".into()));
    assert_eq!(told(&bed, &file.id).await, "HANDED_OUT");
    std::fs::remove_dir(&place).unwrap();
    bed.clock.advance(CLAIMED);
    bed.files.round().await.unwrap();
    assert_eq!(bed.stands(&file.id).await.2, "MADE");
    assert_eq!(scanner.asked().len(), 1);
}

#[tokio::test]
async fn what_a_process_left_unjudged_another_judges_when_its_claim_is_over() {
    let scanner = Given::new([Some(Verdict::Infected)]);
    let bed = scanned(&scanner).await;
    let file = bed.bring(&png()).await.unwrap();
    // As a process leaves it that dies in the middle.
    sqlx::query("update attachment set claimed_until = $1")
        .bind(bed.clock.now() + chrono::TimeDelta::minutes(5))
        .execute(&bed.pool)
        .await
        .unwrap();
    bed.files.round().await.unwrap();
    assert_eq!(scanner.asked().len(), 0, "it is another's");
    bed.clock.advance(CLAIMED);
    bed.files.round().await.unwrap();
    assert_eq!(told(&bed, &file.id).await, "ATTACHMENT_INFECTED");
    assert_eq!(bed.stands(&file.id).await.2, "NONE", "nobody looks into what is infected");
    bed.clock.advance(CLAIMED);
    bed.files.round().await.unwrap();
    assert_eq!(scanner.asked().len(), 1, "a verdict is final");
}

#[tokio::test]
async fn two_workers_judge_a_file_once() {
    let scanner = Given::new([Some(Verdict::Clean), Some(Verdict::Clean)]);
    let bed = scanned(&scanner).await;
    bed.bring(b"text").await.unwrap();
    let (one, two) = tokio::join!(bed.files.round(), bed.files.round());
    one.and(two).unwrap();
    assert_eq!(scanner.asked().len(), 1);
}

#[tokio::test]
async fn without_a_scanner_nothing_waits_for_one_any_more() {
    let mut bed = scanned(&Given::new([])).await;
    let file = bed.bring(b"text").await.unwrap();
    assert_eq!(told(&bed, &file.id).await, "ATTACHMENT_NOT_SCANNED");
    bed.files = bed.files.clone().scanned_by(None);
    bed.files.round().await.unwrap();
    assert_eq!(bed.stands(&file.id).await.1, "OFF");
    assert_eq!(told(&bed, &file.id).await, "HANDED_OUT");
}

#[tokio::test]
async fn a_file_whose_bytes_are_gone_stays_locked_and_keeps_nobody_waiting() {
    let scanner = Given::new([Some(Verdict::Clean)]);
    let bed = scanned(&scanner).await;
    let lost = bed.bring(b"lost").await.unwrap();
    bed.files.objects.remove(&bed.key(&lost.id).await).await.unwrap();
    let file = bed.bring(b"text").await.unwrap();
    bed.files.round().await.unwrap();
    assert_eq!(told(&bed, &lost.id).await, "ATTACHMENT_NOT_SCANNED");
    assert_eq!(told(&bed, &file.id).await, "HANDED_OUT");
}
