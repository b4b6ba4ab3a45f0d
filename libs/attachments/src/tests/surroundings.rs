//! Settings of a bucket, on a real server: keys, certificates, and what is never told.

use std::io::Write;
use std::sync::{Arc, Mutex};

use callboard_kernel::ErrorKind;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_util::task::TaskTracker;

use super::bed::{Bed, Place, bucket_at, new_bucket_name, s3, text};
use crate::objects::PART;

/// All that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

async fn changed(change: impl FnOnce(&mut Value)) -> Bed {
    Bed::behind(&s3().await.endpoint(), change).await
}

#[tokio::test]
async fn the_key_is_in_no_log_and_in_no_debug_output() {
    let log = Log::default();
    let writer = log.clone();
    // With one alone, what other tests log first would be judged by them for all.
    let _second = tracing::subscriber::set_default(tracing_subscriber::registry());
    let _logging = tracing::subscriber::set_default(
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish(),
    );
    let wrong = "Zm9yIG5vYm9keSdzIGV5ZXM";
    let beds =
        [changed(|_| {}).await, changed(|settings| settings["secret_access_key"] = wrong.into()).await];
    let file = beds[0].bring(&text(PART + 1)).await.unwrap();
    beds[0].fetch(&file.id).await.unwrap();
    beds[1].bring(&text(PART + 1)).await.unwrap_err();
    let shown = format!("{:?} {:?} {:?}", beds[0].config, beds[0].files, beds[1].files);
    let told = log.text();
    assert!(told.contains("the object store does not serve"), "it listens");
    assert!(told.contains("SignatureDoesNotMatch"), "the server says why: {told}");
    for key in [s3().await.secret(), wrong] {
        assert!(!shown.contains(key), "{shown}");
        assert!(!told.contains(key), "a key is in the log");
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_by_the_server_and_leaves_nothing() {
    for (field, wrong) in [("secret_access_key", "wrong"), ("access_key_id", "nobody")] {
        let bed = changed(|settings| settings[field] = wrong.into()).await;
        for bytes in [text(100), text(2 * PART)] {
            let refusal = bed.bring(&bytes).await.unwrap_err();
            assert_eq!(refusal.kind, ErrorKind::Unavailable);
            assert_eq!(refusal.message, "files cannot be reached now");
        }
        assert!(bed.files.objects.list().await.is_ok(), "listing begins when it is read");
        let server = s3().await;
        let Place::Bucket(bucket) = &bed.place else { panic!("a bucket") };
        assert_eq!(server.unfinished_uploads(bucket).await.unwrap(), 0);
        let right =
            Bed::with(&bucket_at(&server.endpoint(), server, bucket), Place::Bucket(bucket.clone())).await;
        assert_eq!(right.objects().await, Vec::<String>::new());
    }
}

/// Installations that share a bucket do not see each other's objects.
#[tokio::test]
async fn a_prefix_keeps_installations_apart_that_share_a_bucket() {
    let (server, bucket) = (s3().await, new_bucket_name());
    server.make_bucket(&bucket).await.unwrap();
    let mut beds = Vec::new();
    for prefix in ["callboard/production", "callboard/staging", ""] {
        let mut settings = bucket_at(&server.endpoint(), server, &bucket);
        settings["prefix"] = prefix.into();
        beds.push(Bed::with(&settings, Place::Bucket(bucket.clone())).await);
    }
    for bed in &beds {
        let file = bed.bring(b"text").await.unwrap();
        assert_eq!(bed.objects().await, [bed.key(&file.id).await], "names in rows are without it");
    }
}

/// Ends TLS before a server; its address and the certificate that it shows.
async fn tls_before(server: String) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tasks = TaskTracker::new();
    tasks.clone().spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tasks.spawn(async move {
                let Ok(mut near) = acceptor.accept(near).await else { return };
                let mut far = TcpStream::connect(server).await.unwrap();
                // Either end may go first.
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (format!("https://localhost:{port}"), made.cert.pem())
}

#[tokio::test]
async fn over_tls_the_certificate_is_checked_against_the_file_that_is_named() {
    let (endpoint, pem) = tls_before(s3().await.address()).await;
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, pem).unwrap();
    let trusting = Bed::behind(&endpoint, |settings| {
        settings["allow_http"] = false.into();
        settings["ca_file"] = ca_file.to_str().unwrap().into();
    })
    .await;
    let bytes = text(PART + 1);
    let file = trusting.bring(&bytes).await.unwrap();
    assert!(trusting.fetch(&file.id).await.unwrap() == bytes);
    let doubting = Bed::behind(&endpoint, |settings| settings["timeout"] = "3s".into()).await;
    assert_eq!(doubting.bring(&bytes).await.unwrap_err().reason, "UNAVAILABLE");
}
