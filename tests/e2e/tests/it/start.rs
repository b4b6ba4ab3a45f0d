//! A flow started by a link, in a browser (T-1).

use callboard_e2e_tests::{Platform, World};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};

/// What a browser does: keeps its cookie, follows a redirect by hand.
struct Browser {
    http: Client,
    base: String,
    cookie: String,
}

impl Browser {
    fn take(&mut self, response: &Response) {
        if let Some(cookie) = response.headers().get("set-cookie") {
            let cookie = cookie.to_str().expect("a cookie in ASCII");
            cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
        }
    }

    /// Follows a link to the page it ends at: its address and its text.
    async fn open(&mut self, path: &str) -> (String, String) {
        let mut path = path.to_owned();
        for _ in 0..5 {
            let request = self.http.get(format!("{}{path}", self.base)).header("cookie", &self.cookie);
            let response = request.send().await.expect("the gateway to answer");
            self.take(&response);
            match response.headers().get("location") {
                Some(next) => next.to_str().expect("an address in ASCII").clone_into(&mut path),
                None => return (path, response.text().await.expect("a page")),
            }
        }
        panic!("{path} leads in a circle");
    }

    /// Sends a form and opens where it leads.
    async fn send(&mut self, path: &str, form: &[(&str, &str)]) -> (String, String) {
        let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.http.post(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
        let response = request.send().await.expect("the gateway to answer");
        self.take(&response);
        let next = response.headers().get("location").expect("a form leads on").to_str();
        self.open(next.expect("an address in ASCII")).await
    }
}

/// The path of a link, which begins with the public address.
fn path(link: &Value) -> String {
    let link = link.as_str().expect("a link");
    let begins = link.find("://").expect("an absolute link") + 3;
    link[begins + link[begins..].find('/').expect("a path")..].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn t_1_a_link_leads_from_the_code_to_an_opened_ticket_step_by_step() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "start.test").await;
    let (ada, nora) = (world.person("ada").await, world.person("nora").await);
    let flows = nora.get(&format!("/v1/templates/{}/flows", world.demo.coffee)).await.ok();
    let start = path(&flows["flows"][0]["startUrl"]);
    let code = ada.get(&format!("/v1/codes/{}", world.demo.coffee_code_id)).await.ok();
    let mut browser = Browser {
        http: Client::builder().redirect(Policy::none()).build().expect("a client"),
        base: platform.gateway_url(),
        cookie: String::new(),
    };

    // A button without a code asks for one; with the code it leads to the first step.
    let (_, page) = browser.open(&start).await;
    assert!(page.contains("name=\"code\""), "{page}");
    let (at, page) = browser.open(&format!("{}?flow={}", path(&code["url"]), world.demo.repair_flow)).await;
    assert_eq!(at, start);
    assert!(page.contains("What is wrong?"), "{page}");
    // Who is in needs no code any more.
    assert_eq!(browser.open(&start).await.0, start);
    let request = page.split("name=\"request\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let request = request.expect("the form's id");

    let (at, _) = browser.send(&start, &[("a", "It+hisses"), ("request", request)]).await;
    let ticket = at.trim_start_matches("/t/").split('?').next().expect("an id").to_owned();
    // Pressed twice: the same draft.
    assert_eq!(browser.send(&start, &[("a", "It+hisses"), ("request", request)]).await.0, at);
    let draft = format!("/t/{ticket}");
    let (_, page) = browser.send(&draft, &[("step", "part"), ("a", "pump")]).await;
    assert!(page.contains("Does it still run?"), "{page}");
    browser.send(&draft, &[("step", "running")]).await;
    let (at, page) =
        browser.send(&draft, &[("step", "contact"), ("name", "Jo"), ("email", "jo@start.test")]).await;
    assert_eq!(at, draft);
    assert!(page.contains("It hisses") && page.contains("Pump") && page.contains("/submit"), "{page}");
    let (_, page) = browser.send(&format!("{draft}/submit"), &[]).await;
    assert!(page.contains("Open") && page.contains("It hisses"), "{page}");

    let opened = ada.get(&format!("/v1/tickets/{ticket}")).await.ok();
    assert_eq!((&opened["status"], &opened["visibility"]), (&json!("OPEN"), &json!("PUBLIC")));
    assert!(page.contains(&opened["number"].to_string()), "{page}");
}
