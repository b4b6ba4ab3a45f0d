use callboard_kernel::Isolation;
use serde_json::Value;

use crate::world::Tenant;

async fn document(tenant: &Tenant, path: &str) -> Value {
    let response = reqwest::get(format!("{}/.well-known/{path}", tenant.world.admin)).await.unwrap();
    assert!(response.status().is_success());
    response.json().await.unwrap()
}

#[tokio::test]
async fn d_2_the_issuer_publishes_its_keys_and_itself() {
    let tenant = Tenant::new(Isolation::Off).await;
    let configuration = document(&tenant, "openid-configuration").await;
    assert_eq!(configuration["issuer"], tenant.world.admin.as_str());
    assert_eq!(configuration["jwks_uri"], format!("{}/.well-known/jwks.json", tenant.world.admin));
    let keys = document(&tenant, "jwks.json").await;
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!((&keys[0]["kty"], &keys[0]["alg"]), (&"OKP".into(), &"EdDSA".into()));
    assert!(keys[0].get("d").is_none(), "public half only");
}
