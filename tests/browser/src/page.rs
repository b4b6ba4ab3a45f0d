//! A tab.

use std::fmt::Debug;

use callboard_testkit::{PATIENCE, eventually};
use serde_json::{Value, json};

use crate::devtools::Wire;

/// A tab.
#[derive(Debug)]
pub struct Page {
    wire: Wire,
    target: String,
    session: String,
}

impl Page {
    pub(crate) const fn new(wire: Wire, target: String, session: String) -> Self {
        Self { wire, target, session }
    }

    /// Gives a command of the DevTools protocol.
    pub async fn command(&self, method: &str, parameters: Value) -> Value {
        match self.wire.ask(Some(&self.session), method, parameters).await {
            Ok(answer) => answer,
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens an address and waits until it is there.
    pub async fn open(&self, address: &str) {
        let answer = self.command("Page.navigate", json!({"url": address})).await;
        assert!(answer["errorText"].is_null(), "{address}: {answer}");
        let bare = address.split('#').next().unwrap_or_default();
        self.until(
            "the page to be there",
            &format!("document.readyState === 'complete' && location.href.split('#')[0] === {}", json!(bare)),
        )
        .await;
    }

    /// As the button of the browser.
    pub async fn reload(&self) {
        self.evaluate("window.isOld = true").await;
        self.command("Page.reload", json!({})).await;
        self.until("the page to be there anew", "document.readyState === 'complete' && !window.isOld").await;
    }

    /// What an expression comes to; what it promises is awaited.
    ///
    /// # Errors
    /// What it throws.
    pub async fn try_evaluate(&self, expression: &str) -> Result<Value, String> {
        let wanted = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let answer = self.wire.ask(Some(&self.session), "Runtime.evaluate", wanted).await?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(details.to_string()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// As [`Page::try_evaluate`], for what does not throw.
    pub async fn evaluate(&self, expression: &str) -> Value {
        match self.try_evaluate(expression).await {
            Ok(value) => value,
            Err(error) => panic!("{expression}: {error}"),
        }
    }

    /// Waits until an expression is true.
    pub async fn until(&self, what: &str, expression: &str) {
        self.until_some(what, &format!("({expression}) || null"), |value| {
            if value.is_null() { Err(value) } else { Ok(()) }
        })
        .await;
    }

    /// Waits until what an expression comes to is as wanted. Fails with what the page has complained of.
    pub async fn until_some<T, E: Debug>(
        &self,
        what: &str,
        expression: &str,
        wanted: impl Fn(Value) -> Result<T, E>,
    ) -> T {
        eventually(what, PATIENCE, || async {
            match self.try_evaluate(expression).await {
                Ok(value) => wanted(value).map_err(|missing| format!("{missing:?}; {:?}", self.complaints())),
                // A document that is just being replaced.
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Presses what a selector names, as a person does: it must be there, visible and enabled.
    pub async fn press(&self, selector: &str) {
        let named = json!(selector);
        self.until(
            &format!("{selector} to be pressed"),
            &format!(
                "(() => {{ const found = document.querySelector({named}); \
                 if (!found || found.disabled || found.offsetParent === null) return false; \
                 found.click(); return true; }})()"
            ),
        )
        .await;
    }

    /// Whether what a selector names is seen.
    pub async fn until_shown(&self, selector: &str) {
        let named = json!(selector);
        let shown = format!(
            "(() => {{ const found = document.querySelector({named}); return !!found && found.offsetParent !== null; }})()"
        );
        self.until(&format!("{selector} to be seen"), &shown).await;
    }

    /// What the page has complained of so far: errors, warnings, broken policies.
    pub fn complaints(&self) -> Vec<String> {
        self.wire.complaints(&self.session)
    }

    /// Closes the tab, as a person does, without a word to its page's server.
    pub async fn close(self) {
        self.wire.ask(None, "Target.closeTarget", json!({"targetId": self.target})).await.expect("closed");
    }
}
