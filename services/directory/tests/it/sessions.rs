use callboard_kernel::{ErrorKind, Isolation};
use callboard_proto::common::v1::Role;
use callboard_proto::directory::v1 as proto;
use callboard_service::error::report;
use callboard_testkit::{PATIENCE, eventually};
use prost_types::FieldMask;

use crate::world::{Tenant, reason, refused, rid, signed};

async fn revoked(tenant: &Tenant, token: &str) {
    eventually("the access token is refused", PATIENCE, || async {
        match tenant.me(token).await {
            Ok(_) => Err("still good".to_owned()),
            Err(status) => match report(&status).reason.as_str() {
                "TOKEN_REVOKED" => Ok(()),
                other => Err(other.to_owned()),
            },
        }
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_used_twice_the_session_ends() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (_, code) = tenant.lift_with_code("").await;
    let first = tenant.scan(&code.token, "").await.unwrap().into_inner().tokens.unwrap();
    let second = tenant.refresh(&first.refresh_token).await.unwrap().into_inner().tokens.unwrap();
    assert_ne!(first.refresh_token, second.refresh_token);
    assert_eq!(first.refresh_expire_time, second.refresh_expire_time, "absolute");
    assert!(tenant.me(&second.access_token).await.is_ok());
    let third = tenant.refresh(&second.refresh_token).await.unwrap().into_inner().tokens.unwrap();
    let reused = refused(tenant.refresh(&first.refresh_token).await);
    assert_eq!((reused.kind, reused.reason.as_str()), (ErrorKind::Unauthenticated, "REFRESH_TOKEN_REUSED"));
    assert_eq!(reason(tenant.refresh(&third.refresh_token).await), "SESSION_ENDED");
    revoked(&tenant, &third.access_token).await;
    for made_up in ["", "x", &third.refresh_token.replace('.', "-")] {
        assert_eq!(reason(tenant.refresh(made_up).await), "SESSION_ENDED");
    }
    let stored: i64 =
        sqlx::query_scalar("select count(*) from session where encode(secret, 'escape') like $1")
            .bind(format!("%{}%", third.refresh_token.rsplit('.').next().unwrap()))
            .fetch_one(&tenant.pool)
            .await
            .unwrap();
    assert_eq!(stored, 0, "hashed only");
}

#[tokio::test]
async fn a_made_up_refresh_token_of_a_known_session_has_no_effect() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (_, code) = tenant.lift_with_code("").await;
    let tokens = tenant.scan(&code.token, "").await.unwrap().into_inner().tokens.unwrap();
    let session = tokens.refresh_token.split('.').next().unwrap();
    let made_up = format!("{session}.{}.{}", "a".repeat(43), "b".repeat(43));
    assert_eq!(reason(tenant.refresh(&made_up).await), "SESSION_ENDED");
    assert!(tenant.refresh(&tokens.refresh_token).await.is_ok());
}

#[tokio::test]
async fn d_3_log_out_code_users_ends_all_sessions_within_seconds() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (_, code) = tenant.lift_with_code("").await;
    let one = tenant.scan(&code.token, "").await.unwrap().into_inner().tokens.unwrap();
    let two = tenant.scan(&code.token, "").await.unwrap().into_inner().tokens.unwrap();
    let message = proto::EndCodeSessionsRequest { request_id: rid(), code_id: code.id };
    let mut codes = tenant.codes.clone();
    let ended = codes.end_code_sessions(signed(&tenant.admin, message.clone())).await.unwrap();
    assert_eq!(ended.into_inner().ended, 2);
    let again = codes.end_code_sessions(signed(&tenant.admin, message)).await.unwrap();
    assert_eq!(again.into_inner().ended, 2, "AIP-155: a repeat answers the same");
    for tokens in [&one, &two] {
        assert_eq!(reason(tenant.refresh(&tokens.refresh_token).await), "SESSION_ENDED");
        revoked(&tenant, &tokens.access_token).await;
    }
    let fresh = tenant.scan(&code.token, "").await.unwrap().into_inner().tokens.unwrap();
    assert!(tenant.me(&fresh.access_token).await.is_ok(), "who comes again is in");
}

#[tokio::test]
async fn d_3_and_d_4_deactivating_and_unpairing_end_sessions() {
    let tenant = Tenant::new(Isolation::Off).await;
    for deactivate in [true, false] {
        let (_, code) = tenant.lift_with_code("").await;
        let tokens = tenant.scan(&code.token, "").await.unwrap().into_inner().tokens.unwrap();
        let (request_id, code_id, etag) = (rid(), code.id, String::new());
        let mut codes = tenant.codes.clone();
        if deactivate {
            let message = proto::DeactivateCodeRequest { request_id, code_id, etag };
            codes.deactivate_code(signed(&tenant.admin, message)).await.unwrap();
        } else {
            let message = proto::UnpairCodeRequest { request_id, code_id, etag };
            codes.unpair_code(signed(&tenant.admin, message)).await.unwrap();
        }
        assert_eq!(reason(tenant.refresh(&tokens.refresh_token).await), "SESSION_ENDED");
        revoked(&tenant, &tokens.access_token).await;
    }
}

#[tokio::test]
async fn ending_a_session_ends_that_one_only() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (_, code) = tenant.lift_with_code("").await;
    let one = tenant.scan(&code.token, "").await.unwrap().into_inner().tokens.unwrap();
    let two = tenant.scan(&code.token, "").await.unwrap().into_inner().tokens.unwrap();
    for _ in 0..2 {
        let message = proto::EndSessionRequest { refresh_token: one.refresh_token.clone() };
        tenant.sessions.clone().end_session(message).await.unwrap();
    }
    assert_eq!(reason(tenant.refresh(&one.refresh_token).await), "SESSION_ENDED");
    revoked(&tenant, &one.access_token).await;
    assert!(tenant.me(&two.access_token).await.is_ok());
    assert!(tenant.refresh(&two.refresh_token).await.is_ok());
}

#[tokio::test]
async fn d_2_other_rights_end_old_access_tokens_and_a_refresh_brings_new_ones() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (person, _) = tenant.employee("sven", Role::Member, &[]).await;
    let tokens = tenant.tokens(&person.email).await;
    let message = proto::UpdateEmployeeRequest {
        request_id: rid(),
        employee: Some(proto::Employee { role: Role::Moderator.into(), ..person.clone() }),
        update_mask: Some(FieldMask { paths: vec!["role".into()] }),
    };
    tenant.directory.clone().update_employee(signed(&tenant.admin, message)).await.unwrap();
    revoked(&tenant, &tokens.access_token).await;
    let fresh = tenant.refresh(&tokens.refresh_token).await.unwrap().into_inner().tokens.unwrap();
    let me = tenant.me(&fresh.access_token).await.unwrap().into_inner();
    let Some(proto::get_me_response::Who::Employee(me)) = me.who else { panic!("{me:?}") };
    assert_eq!(me.role(), Role::Moderator);
    let users = proto::ListCustomerUsersRequest::default();
    let listed = tenant.directory.clone().list_customer_users(signed(&fresh.access_token, users)).await;
    assert!(listed.is_ok(), "the new token has the new rights");
    let delete = proto::DeleteEmployeeRequest { request_id: rid(), id: person.id, etag: String::new() };
    tenant.directory.clone().delete_employee(signed(&tenant.admin, delete)).await.unwrap();
    revoked(&tenant, &fresh.access_token).await;
    assert_eq!(reason(tenant.refresh(&fresh.refresh_token).await), "SESSION_ENDED");
}

#[tokio::test]
async fn d_2_development_tokens_are_for_known_people() {
    let tenant = Tenant::new(Isolation::Off).await;
    let ask = async |email: &str| {
        let request = proto::IssueDevelopmentTokenRequest { email: email.into(), ..Default::default() };
        tenant.sessions.clone().issue_development_token(request).await
    };
    assert!(ask(&tenant.admin_email).await.is_ok(), "one organisation knows the address");
    assert_eq!(reason(ask("nobody@example.org").await), "NOT_FOUND");
    assert_eq!(refused(ask("nobody").await).violations[0].field, "email");
}
