use callboard_kernel::{ErrorKind, Isolation};
use callboard_proto::common::v1::Role;
use callboard_proto::directory::v1 as proto;
use futures::future::join_all;

use crate::world::{Tenant, reason, refused, rid, signed};

async fn look_up(tenant: &Tenant, token: &str, code: &str) -> proto::LookUpCodeResponse {
    let message = proto::LookUpCodeRequest { code: code.into() };
    tenant.sessions.clone().look_up_code(signed(token, message)).await.unwrap().into_inner()
}

#[tokio::test]
async fn d_3_a_scan_lets_a_code_user_in() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (device, code) = tenant.lift_with_code("").await;
    assert!((16..=64).contains(&code.token.len()) && code.active && !code.has_pin);
    let looked = look_up(&tenant, "", &code.token).await;
    assert_eq!((looked.admits_code_users, looked.needs_pin, looked.device_id.as_str()), (true, false, ""));
    let scanned = tenant.scan(&code.token, "").await.unwrap().into_inner();
    assert_eq!((&scanned.device_id, &scanned.template_id), (&device.id, &device.template_id));
    assert_eq!(scanned.organisation_id, tenant.id.to_string());
    let me = tenant.me(&scanned.tokens.unwrap().access_token).await.unwrap().into_inner();
    let visitor =
        proto::CodeVisitor { session_id: scanned.session_id, code_id: code.id, device_id: device.id };
    assert_eq!(me.who, Some(proto::get_me_response::Who::CodeUser(visitor)));
    let unknown = refused(tenant.scan("0123456789abcdefghij", "1234").await);
    assert_eq!(unknown.kind, ErrorKind::NotFound);
    assert_eq!(refused(tenant.scan("short", "").await).violations[0].field, "code");
    assert_eq!(refused(tenant.scan(&code.token, "12ab").await).violations[0].field, "pin");
}

#[tokio::test]
async fn d_3_a_deactivated_code_is_for_people_who_are_logged_in() {
    let tenant = Tenant::new(Isolation::Strict).await;
    let (device, code) = tenant.lift_with_code("").await;
    let (_, member) = tenant.employee("quin", Role::Member, &[]).await;
    let north = tenant.department("North").await;
    let (_, elsewhere) = tenant.employee("rosa", Role::Member, &[&north]).await;
    let message =
        proto::DeactivateCodeRequest { request_id: rid(), code_id: code.id.clone(), etag: String::new() };
    let off = tenant.codes.clone().deactivate_code(signed(&tenant.admin, message)).await.unwrap();
    assert!(!off.into_inner().code.unwrap().active);
    let denied = refused(tenant.scan(&code.token, "").await);
    assert_eq!((denied.kind, denied.reason.as_str()), (ErrorKind::PermissionDenied, "CODE_DEACTIVATED"));
    let looked = look_up(&tenant, &member, &code.token).await;
    assert_eq!((looked.admits_code_users, &looked.device_id), (false, &device.id));
    assert_eq!(look_up(&tenant, &elsewhere, &code.token).await.device_id, "", "isolation");
    let stranger = Tenant::new(Isolation::Off).await;
    assert_eq!(look_up(&tenant, &stranger.admin, &code.token).await.device_id, "");
}

#[tokio::test]
async fn d_3_an_unpaired_code_is_told_apart_for_employees_and_for_nobody_else() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (_, code) = tenant.lift_with_code("").await;
    let (_, member) = tenant.employee("quin", Role::Member, &[]).await;
    assert!(!look_up(&tenant, &member, &code.token).await.is_unpaired);
    let message =
        proto::UnpairCodeRequest { request_id: rid(), code_id: code.id.clone(), etag: String::new() };
    tenant.codes.clone().unpair_code(signed(&tenant.admin, message)).await.unwrap();
    let looked = look_up(&tenant, &member, &code.token).await;
    assert_eq!((looked.is_unpaired, looked.admits_code_users, looked.device_id.as_str()), (true, false, ""));
    let stranger = Tenant::new(Isolation::Off).await;
    for token in ["", stranger.admin.as_str()] {
        let looked = look_up(&tenant, token, &code.token).await;
        assert_eq!((looked.is_unpaired, looked.admits_code_users), (false, false));
    }
}

#[tokio::test]
async fn d_3_five_wrong_pins_lock_the_entry_however_many_come_at_once() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (_, code) = tenant.lift_with_code("123456").await;
    assert!(look_up(&tenant, "", &code.token).await.needs_pin);
    assert_eq!(reason(tenant.scan(&code.token, "").await), "PIN_REQUIRED");
    assert_eq!(reason(tenant.scan(&code.token, "0000").await), "PIN_WRONG");
    assert!(tenant.scan(&code.token, "123456").await.is_ok(), "counts anew");
    let tries = join_all((0..12).map(|number| {
        let (tenant, code) = (&tenant, &code);
        async move { reason(tenant.scan(&code.token, &format!("{number:04}")).await) }
    }));
    let reasons = tries.await;
    let wrong = reasons.iter().filter(|reason| *reason == "PIN_WRONG").count();
    let locked = reasons.iter().filter(|reason| *reason == "PIN_LOCKED").count();
    assert_eq!((wrong, locked), (4, 8), "the fifth wrong one locks");
    let right = refused(tenant.scan(&code.token, "123456").await);
    assert_eq!((right.kind, right.reason.as_str()), (ErrorKind::ResourceExhausted, "PIN_LOCKED"));
    let until: Option<chrono::DateTime<chrono::Utc>> =
        sqlx::query_scalar("select locked_until from code where token = $1")
            .bind(&code.token)
            .fetch_one(&tenant.pool)
            .await
            .unwrap();
    assert!(until.is_some(), "durable");
    let message = proto::SetCodePinRequest {
        request_id: rid(),
        code_id: code.id,
        etag: String::new(),
        pin: "7777".into(),
    };
    tenant.codes.clone().set_code_pin(signed(&tenant.admin, message)).await.unwrap();
    assert!(tenant.scan(&code.token, "7777").await.is_ok(), "a new PIN lifts the lock-out");
}

#[tokio::test]
async fn codes_are_paired_moved_unpaired_listed_and_removed() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (device, first) = tenant.lift_with_code("").await;
    let mut codes = tenant.codes.clone();
    let admin = &tenant.admin;
    let create = proto::CreateCodeRequest { request_id: rid(), ..Default::default() };
    let second = codes.create_code(signed(admin, create)).await.unwrap().into_inner().code.unwrap();
    assert_eq!(reason(tenant.scan(&second.token, "").await), "CODE_UNPAIRED");
    let pair = |device: &str| proto::PairCodeRequest {
        request_id: rid(),
        code_id: second.id.clone(),
        etag: String::new(),
        device_id: device.into(),
    };
    let wrong = refused(codes.pair_code(signed(admin, pair(&second.id))).await);
    assert_eq!((wrong.kind, wrong.message.as_str()), (ErrorKind::NotFound, "no such device"), "AIP-193");
    let paired = codes.pair_code(signed(admin, pair(&device.id))).await.unwrap().into_inner().code.unwrap();
    assert_eq!(paired.device_id, device.id);
    assert!(tenant.scan(&second.token, "").await.is_ok());
    let list = proto::ListCodesRequest { page_size: 1, ..Default::default() };
    let page = codes.list_codes(signed(admin, list.clone())).await.unwrap().into_inner();
    assert_eq!(page.codes, [paired], "newest first");
    let next = proto::ListCodesRequest { page_token: page.next_page_token, ..list };
    let page = codes.list_codes(signed(admin, next)).await.unwrap().into_inner();
    assert_eq!((page.codes[0].id.as_str(), page.next_page_token.as_str()), (first.id.as_str(), ""));
    let unpair =
        proto::UnpairCodeRequest { request_id: rid(), code_id: second.id.clone(), etag: String::new() };
    codes.unpair_code(signed(admin, unpair)).await.unwrap();
    assert_eq!(reason(tenant.scan(&second.token, "").await), "CODE_UNPAIRED");
    let delete = proto::DeleteCodeRequest { request_id: rid(), id: second.id, etag: String::new() };
    codes.delete_code(signed(admin, delete)).await.unwrap();
    assert_eq!(reason(tenant.scan(&second.token, "").await), "NOT_FOUND");
}

#[tokio::test]
async fn isolation_a_code_is_seen_by_those_who_see_its_device() {
    let tenant = Tenant::new(Isolation::Strict).await;
    let (north, south) = (tenant.department("North").await, tenant.department("South").await);
    let (_, confined) = tenant.employee("nora", Role::Administrator, &[&north]).await;
    let template = tenant.template("Lift").await;
    let in_north = proto::Device { name: "N".into(), department_ids: vec![north], ..Default::default() };
    let in_south = proto::Device { name: "S".into(), department_ids: vec![south], ..Default::default() };
    let (in_north, in_south) =
        (tenant.device(&template, in_north).await, tenant.device(&template, in_south).await);
    let mut codes = tenant.codes.clone();
    let mut made = Vec::new();
    for device in [&in_north.id, &in_south.id, &String::new()] {
        let code = Some(proto::Code { device_id: device.clone(), ..Default::default() });
        let create = proto::CreateCodeRequest { request_id: rid(), code, pin: String::new() };
        made.push(codes.create_code(signed(&tenant.admin, create)).await.unwrap().into_inner().code.unwrap());
    }
    let [own, foreign, free] = made.try_into().unwrap();
    let list = codes.list_codes(signed(&confined, proto::ListCodesRequest::default())).await.unwrap();
    let listed: Vec<String> = list.into_inner().codes.into_iter().map(|code| code.id).collect();
    assert_eq!(listed, [free.id, own.id.clone()]);
    assert!(codes.get_code(signed(&confined, proto::GetCodeRequest { id: own.id })).await.is_ok());
    let (code_id, etag) = (foreign.id.clone(), String::new());
    let get = proto::GetCodeRequest { id: code_id.clone() };
    let end = proto::EndCodeSessionsRequest { request_id: rid(), code_id: code_id.clone() };
    let unpair = proto::UnpairCodeRequest { request_id: rid(), code_id: code_id.clone(), etag: etag.clone() };
    let pin = proto::SetCodePinRequest {
        request_id: rid(),
        code_id: code_id.clone(),
        etag: etag.clone(),
        pin: "1234".into(),
    };
    let pair =
        proto::PairCodeRequest { request_id: rid(), code_id, etag: etag.clone(), device_id: in_north.id };
    let delete = proto::DeleteCodeRequest { request_id: rid(), id: foreign.id, etag };
    for reason in [
        reason(codes.get_code(signed(&confined, get)).await),
        reason(codes.end_code_sessions(signed(&confined, end)).await),
        reason(codes.unpair_code(signed(&confined, unpair)).await),
        reason(codes.set_code_pin(signed(&confined, pin)).await),
        reason(codes.pair_code(signed(&confined, pair)).await),
        reason(codes.delete_code(signed(&confined, delete)).await),
    ] {
        assert_eq!(reason, "NOT_FOUND");
    }
}

#[tokio::test]
async fn aip_155_setting_a_pin_may_be_repeated() {
    let tenant = Tenant::new(Isolation::Off).await;
    let (_, code) = tenant.lift_with_code("").await;
    let message =
        proto::SetCodePinRequest { request_id: rid(), code_id: code.id, etag: code.etag, pin: "4711".into() };
    let mut codes = tenant.codes.clone();
    let first = codes.set_code_pin(signed(&tenant.admin, message.clone())).await.unwrap().into_inner();
    let again = codes.set_code_pin(signed(&tenant.admin, message)).await.unwrap().into_inner();
    assert_eq!(first, again);
}
