//! What is kept nowhere.

use bytes::Bytes;
use callboard_testkit::PATIENCE;
use futures::StreamExt;

use crate::support::both;

#[tokio::test]
async fn who_listens_hears_what_is_whispered_about_the_topic_and_nothing_else() {
    for (bus, _server) in both().await {
        // One connection sends in order: the server knows of a listener before it gets what comes behind.
        let mut typing = bus.listen("sample.typing").await.expect("a listener");
        let mut presence = bus.listen("sample.presence").await.expect("a listener");
        bus.whisper("sample.presence", Bytes::from_static(b"here")).await;
        bus.whisper("sample.typing", Bytes::from_static(b"tick")).await;
        bus.whisper("sample.nobody", Bytes::from_static(b"lost")).await;
        for (listener, expected) in [(&mut typing, &b"tick"[..]), (&mut presence, &b"here"[..])] {
            let heard = tokio::time::timeout(PATIENCE, listener.next()).await.expect("in time");
            assert_eq!(heard.as_deref(), Some(expected));
        }
    }
}
