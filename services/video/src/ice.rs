//! STUN and TURN for a browser (V-10). Passwords follow the TURN REST API, as TURN servers with a shared secret judge them:
//! the name is the time until which it is good and whom it is for, the password its HMAC-SHA1 in Base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_kernel::Timestamp;
use callboard_proto::video::v1 as proto;
use callboard_service::convert::to_proto_time;
use chrono::TimeDelta;
use secrecy::ExposeSecret;

use crate::config::IceConfig;

/// The servers for one connection; `whom` says nothing of the person.
pub fn servers(config: &IceConfig, whom: &str, now: Timestamp) -> Vec<proto::IceServer> {
    let mut servers = Vec::new();
    if !config.stun_urls.is_empty() {
        servers.push(proto::IceServer { urls: config.stun_urls.clone(), ..proto::IceServer::default() });
    }
    if !config.turn_urls.is_empty() {
        let until = now + TimeDelta::from_std(config.turn_lifetime).unwrap_or_default();
        let username = format!("{}:{whom}", until.timestamp());
        servers.push(proto::IceServer {
            urls: config.turn_urls.clone(),
            credential: password(config.turn_secret.expose_secret(), &username),
            username,
            expire_time: Some(to_proto_time(until)),
        });
    }
    servers
}

fn password(secret: &str, username: &str) -> String {
    // What the scheme prescribes; it is no signature of ours.
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    STANDARD.encode(ring::hmac::sign(&key, username.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn turn_passwords_are_what_turn_servers_expect_and_end() {
        // printf 1700014400:x | openssl dgst -sha1 -hmac north -binary | base64
        let config = IceConfig {
            stun_urls: vec!["stun:s".into()],
            turn_urls: vec!["turn:t".into()],
            turn_secret: "north".into(),
            turn_lifetime: Duration::from_secs(14_400),
        };
        let now = Timestamp::from_timestamp(1_700_000_000, 0).expect("a moment");
        let found = servers(&config, "x", now);
        assert_eq!((found[0].urls[0].as_str(), found[0].credential.as_str()), ("stun:s", ""));
        assert_eq!(found[1].username, "1700014400:x");
        assert_eq!(found[1].credential, "0lNszaTmPxj8uUYuHMSgiSElHVI=");
        assert_eq!(found[1].expire_time.expect("an end").seconds, 1_700_014_400);
        let none = IceConfig { stun_urls: Vec::new(), turn_urls: Vec::new(), ..config };
        assert!(servers(&none, "x", now).is_empty());
    }
}
