//! What holds wherever the files are.

use bytes::Bytes;
use callboard_kernel::{ErrorKind, Refusal};
use callboard_proto::common::v1 as common;
use callboard_testkit::{PATIENCE, eventually};
use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::bed::{Bed, endless, everywhere, png, text};
use crate::download::Asked;
use crate::objects::PART;
use crate::upload::hex;

everywhere!(
    a_file_goes_out_as_it_came_in_however_its_parts_fall,
    any_range_is_served,
    an_upload_that_fails_leaves_nothing,
    an_upload_that_nobody_waits_for_leaves_nothing,
    another_checksum_than_declared_is_refused_and_leaves_nothing,
    a_picture_has_a_thumbnail_and_takes_it_along,
    what_is_deleted_is_gone_and_deleting_it_again_is_no_error,
    all_objects_are_listed_however_many,
);

async fn a_file_goes_out_as_it_came_in_however_its_parts_fall(bed: Bed) {
    for length in [1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1_234_567] {
        let bytes = text(length);
        let file = bed.bring(&bytes).await.unwrap();
        assert_eq!((file.size, &file.sha256), (length as i64, &hex(&Sha256::digest(&bytes))));
        assert!(bed.fetch(&file.id).await.unwrap() == bytes, "{length} bytes");
        let key = bed.key(&file.id).await;
        assert_eq!(bed.objects().await, std::slice::from_ref(&key), "one object, and none of its parts");
        assert_eq!(bed.files.objects.size(&key).await.unwrap(), length as u64);
        assert_eq!(bed.parts().await, 0);
        bed.delete(&file.id).await.unwrap();
        bed.files.round().await.unwrap();
    }
    bed.until_empty().await;
}

async fn any_range_is_served(bed: Bed) {
    let bytes = text(PART + 5000);
    let file = bed.bring(&bytes).await.unwrap();
    let end = bytes.len();
    for (start, length, what) in [
        (0, 1, 0..1),
        (0, 0, 0..end),
        (PART as i64 - 3, 7, PART - 3..PART + 4),
        (-10, 0, end - 10..end),
        (end as i64 - 1, 100, end - 1..end),
    ] {
        let range = Some(common::ByteRange { start, length });
        let got = bed.ask(Asked { id: file.id.clone(), range, ..Asked::default() }).await.unwrap();
        assert!(got == bytes[what.clone()], "{what:?}: {} bytes", got.len());
    }
    let range = Some(common::ByteRange { start: end as i64, length: 1 });
    let behind = bed.ask(Asked { id: file.id, range, ..Asked::default() }).await.unwrap_err();
    assert_eq!(behind.reason, "RANGE_NOT_SATISFIABLE");
}

async fn an_upload_that_fails_leaves_nothing(bed: Bed) {
    for length in [100, 2 * PART + 100] {
        let broke = Refusal::new(ErrorKind::Cancelled, "CANCELLED", "the upload broke off");
        let body = vec![Ok(Bytes::from(text(length))), Err(broke)];
        let refusal = bed.bring_pieces(futures::stream::iter(body)).await.unwrap_err();
        assert_eq!(refusal.reason, "CANCELLED");
        bed.until_empty().await;
    }
    // Whole, but of a kind that is not taken.
    let refusal = bed.bring(&[b"MZ\x90\0\x03".to_vec(), vec![0; 2 * PART]].concat()).await.unwrap_err();
    assert_eq!(refusal.reason, "ATTACHMENT_TYPE_NOT_ALLOWED");
    bed.until_empty().await;
}

async fn an_upload_that_nobody_waits_for_leaves_nothing(bed: Bed) {
    {
        let mut upload = std::pin::pin!(bed.bring_pieces(endless(text(2 * PART + 100))));
        let begun = eventually("parts to be written", PATIENCE, || async {
            let parts = bed.parts().await;
            if parts > 0 { Ok(()) } else { Err(parts) }
        });
        tokio::select! {
            () = begun => {}
            done = &mut upload => panic!("it is not over: {done:?}"),
        }
        assert_eq!(bed.objects().await, Vec::<String>::new(), "what is not whole is no object");
        assert_eq!(bed.known().await.0, 1);
    }
    bed.until_empty().await;
}

async fn another_checksum_than_declared_is_refused_and_leaves_nothing(bed: Bed) {
    let about = common::AttachmentUpload {
        request_id: uuid::Uuid::from_u128(9).to_string(),
        sha256: hex(&Sha256::digest(b"other")),
        ..Default::default()
    };
    let body = futures::stream::iter([Ok(Bytes::from(text(PART + 1)))]);
    let refusal = bed.files.upload(&bed.who, about, body).await.unwrap_err();
    assert_eq!(refusal.reason, "ATTACHMENT_DIFFERS");
    bed.until_empty().await;
}

async fn a_picture_has_a_thumbnail_and_takes_it_along(bed: Bed) {
    let file = bed.bring(&png()).await.unwrap();
    bed.files.round().await.unwrap();
    let key = bed.key(&file.id).await;
    assert_eq!(bed.objects().await, [key.clone(), format!("{key}.thumbnail")]);
    let small = bed.ask(Asked { id: file.id.clone(), thumbnail: true, ..Asked::default() }).await.unwrap();
    assert_eq!(image::load_from_memory(&small).unwrap().width(), 320);
    bed.delete(&file.id).await.unwrap();
    bed.files.round().await.unwrap();
    bed.until_empty().await;
}

async fn what_is_deleted_is_gone_and_deleting_it_again_is_no_error(bed: Bed) {
    let file = bed.bring(b"text").await.unwrap();
    let key = bed.key(&file.id).await;
    bed.delete(&file.id).await.unwrap();
    assert_eq!(bed.fetch(&file.id).await.unwrap_err().reason, "NOT_FOUND");
    bed.files.round().await.unwrap();
    bed.until_empty().await;
    bed.files.objects.remove(&key).await.unwrap();
    let read = bed.files.objects.read(&key, 0..1).await.unwrap_err();
    assert_eq!(read.kind, ErrorKind::NotFound);
}

async fn all_objects_are_listed_however_many(bed: Bed) {
    // More than S3 lists at once.
    let (objects, count) = (&bed.files.objects, 1100_u128);
    let key =
        |number| objects.key(bed.who.organisation.uuid(), uuid::Uuid::from_u128(number), uuid::Uuid::nil());
    let puts = (0..count).map(|number| async move {
        objects.put(&key(number), Bytes::from_static(b"x")).await.unwrap();
    });
    futures::stream::iter(puts).buffer_unordered(16).collect::<Vec<()>>().await;
    let mut wanted: Vec<String> = (0..count).map(key).collect();
    wanted.sort();
    assert_eq!(bed.objects().await, wanted);
}
