//! The key set of an issuer: cached, rotated, served stale.

use callboard_auth::{AuthError, SigningKey};
use chrono::TimeDelta;
use serde_json::json;

use crate::support::{World, claims, employee, foreign_token, issuer};

#[tokio::test]
async fn many_callers_cause_one_fetch() {
    let world = World::new().await;
    let tokens: Vec<String> = (0..20).map(|epoch| world.token(&employee(), epoch)).collect();
    let results = futures_join(tokens.iter().map(|token| world.verifier.verify(token)).collect()).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(world.server.fetches(), 1);
}

/// Polls all together, as callers of one process do.
async fn futures_join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut results: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *result = Some(output);
            }
        }
        if results.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[tokio::test]
async fn d_2_a_new_key_is_found_and_an_unknown_one_makes_us_ask_at_most_once_per_interval() {
    let world = World::with(|config| config.unknown_key_interval = TimeDelta::seconds(60)).await;
    assert!(world.verifier.verify(&world.token(&employee(), 0)).await.is_ok());
    let next = SigningKey::generate().unwrap();
    let public = next.public_jwk();
    let rotated = issuer(next, &world.clock);
    let token = |epoch| {
        crate::support::expose(&rotated.issue(&employee(), epoch, TimeDelta::minutes(10)).unwrap().token)
    };
    // Within the interval nobody is asked, however many come.
    for epoch in 0..10 {
        assert_eq!(
            world.verifier.verify(&token(epoch)).await.unwrap_err(),
            AuthError::Invalid("signed with an unknown key")
        );
    }
    assert_eq!(world.server.fetches(), 1);
    world.server.publish_jwks(vec![
        public,
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256" }),
        json!(7),
    ]);
    world.clock.advance(TimeDelta::seconds(60));
    assert!(world.verifier.verify(&token(11)).await.is_ok());
    assert_eq!(world.server.fetches(), 2);
    // The old key is gone from the document: its tokens no longer pass, but for those remembered a few minutes.
    assert!(world.verifier.verify(&world.token(&employee(), 99)).await.is_err());
}

#[tokio::test]
async fn known_keys_serve_while_the_issuer_is_away_but_not_for_ever() {
    let world = World::with(|config| {
        config.key_refresh_interval = TimeDelta::minutes(10);
        config.keys_serve_stale = TimeDelta::hours(1);
    })
    .await;
    assert!(world.verifier.verify(&world.token(&employee(), 0)).await.is_ok());
    world.server.set_broken(true);
    world.clock.advance(TimeDelta::minutes(30));
    assert!(world.verifier.verify(&world.token(&employee(), 1)).await.is_ok());
    assert_eq!(world.server.fetches(), 2);
    world.clock.advance(TimeDelta::minutes(31));
    let token = world.token(&employee(), 2);
    assert_eq!(world.verifier.verify(&token).await.unwrap_err(), AuthError::KeysUnavailable);
    world.server.set_broken(false);
    world.clock.advance(TimeDelta::seconds(1));
    assert!(world.verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_is_unavailable_and_soon_asked_again() {
    let world = World::new().await;
    world.server.set_broken(true);
    let token = world.token(&employee(), 0);
    assert_eq!(world.verifier.verify(&token).await.unwrap_err(), AuthError::KeysUnavailable);
    assert_eq!(world.verifier.verify(&token).await.unwrap_err(), AuthError::KeysUnavailable);
    assert_eq!(world.server.fetches(), 1);
    world.server.set_broken(false);
    world.clock.advance(TimeDelta::seconds(1));
    assert!(world.verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_key_pinned_to_another_algorithm_or_use_does_not_verify() {
    for (name, value) in [("alg", json!("ES256")), ("use", json!("enc")), ("x", json!("AAAA"))] {
        let world = World::new().await;
        let key = SigningKey::generate().unwrap();
        let mut jwk = key.public_jwk();
        jwk[name] = value;
        world.server.publish_jwks(vec![jwk]);
        let token = foreign_token(&key, json!({}), &claims(&world.clock));
        assert!(world.verifier.verify(&token).await.is_err(), "{name}");
    }
}
