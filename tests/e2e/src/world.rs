//! Organisations to play in.

use callboard_standalone::organisation::organisation_id;
use callboard_standalone::rest;
use callboard_standalone::seed::{Demo, OVEN_PIN, seed};
use serde_json::json;

use crate::{Client, Platform, Service};

/// The demo organisation under a mail domain of its own, on a platform of processes.
#[derive(Debug)]
pub struct World {
    /// What was made.
    pub demo: Demo,
    /// The organisation's id.
    pub organisation: String,
    gateway: String,
}

impl World {
    /// Makes the organisation and everything in it, through the command line and the gateway.
    pub async fn make(platform: &Platform, domain: &str) -> Self {
        let organisation = organisation_id(domain);
        let (id, email) = (organisation.to_string(), format!("ada@{domain}"));
        let arguments = [
            "create-organisation",
            "--name",
            domain,
            "--admin-email",
            &email,
            "--admin-name",
            "Ada",
            "--id",
            &id,
        ];
        platform.run(Service::Directory, &arguments).await;
        let admin = rest::Client::new(platform.gateway_url())
            .as_person(&email)
            .await
            .expect("the administrator's token");
        let demo = seed(&admin, organisation.uuid(), domain).await.expect("the organisation to be filled");
        Self { demo, organisation: id, gateway: platform.gateway_url() }
    }

    /// A caller with the token of an employee, by the first part of the e-mail address.
    pub async fn person(&self, name: &str) -> Client {
        self.by_email(&self.demo.email(name)).await
    }

    /// A caller with the customer user's token.
    pub async fn customer_user(&self) -> Client {
        self.by_email(&self.demo.customer_email()).await
    }

    /// A caller without a token. Each has connections of its own, since a test's end with its runtime.
    pub fn nobody(&self) -> Client {
        Client::new(self.gateway.as_str())
    }

    /// A caller with the token of whoever has an e-mail address.
    pub async fn by_email(&self, email: &str) -> Client {
        let nobody = self.nobody();
        let answer = nobody.post("/v1/sessions:developmentToken", json!({"email": email})).await.ok();
        nobody.with_token(answer["tokens"]["accessToken"].as_str().expect("a token"))
    }

    /// A caller who scanned the coffee machine's code.
    pub async fn visitor(&self) -> Client {
        self.scan(json!({"code": self.demo.coffee_code})).await
    }

    /// A caller who scanned the oven's code and knew the PIN.
    pub async fn oven_visitor(&self) -> Client {
        self.scan(json!({"code": self.demo.oven_code, "pin": OVEN_PIN})).await
    }

    async fn scan(&self, body: serde_json::Value) -> Client {
        let nobody = self.nobody();
        let answer = nobody.post("/v1/codes:scan", body).await.ok();
        nobody.with_token(answer["tokens"]["accessToken"].as_str().expect("a token"))
    }
}
