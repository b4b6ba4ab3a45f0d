//! A Chromium with a fake camera and a fake microphone, and the one connection that steers it.
//!
//! The protocol is JSON over a WebSocket: a command has an id and, for a page, its session; the answer has the same id; what
//! has none is an event. Of its hundreds of commands a dozen are used here (docs/adr/0018-browser-tests.md).

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use callboard_testkit::{PATIENCE, eventually};
use futures::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::TaskTracker;

use crate::page::Page;

/// Names the program; `make browser` sets it.
const PROGRAM: &str = "CALLBOARD_CHROMIUM";

/// Camera and microphone are fake and allowed; connections to this machine itself are; nothing is fetched from elsewhere.
const FLAGS: &[&str] = &[
    "--headless",
    "--remote-debugging-port=0",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--mute-audio",
    // Containers and build machines seldom let a browser make its own sandbox, and root may not. Only our own pages are
    // opened.
    "--no-sandbox",
];

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Result<Value, String>>>>>;
type Heard = Arc<Mutex<HashMap<String, Vec<String>>>>;

/// Speaks to a browser. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    next: Arc<AtomicU64>,
    says: mpsc::UnboundedSender<Message>,
    waiting: Waiting,
    heard: Heard,
}

impl Wire {
    async fn to(address: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(address).await.expect("the browser's DevTools");
        let (mut sink, mut stream) = socket.split();
        let (says, mut said) = mpsc::unbounded_channel();
        let (waiting, heard) = (Waiting::default(), Heard::default());
        let tasks = TaskTracker::new();
        tasks.spawn(async move {
            while let Some(message) = said.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
        });
        let (answered, events) = (Arc::clone(&waiting), Arc::clone(&heard));
        tasks.spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let Message::Text(text) = message else { continue };
                let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
                match message["id"].as_u64() {
                    Some(id) => {
                        let waits = answered.lock().remove(&id);
                        if let Some(waits) = waits {
                            let outcome = match message.get("error") {
                                Some(error) => Err(error.to_string()),
                                None => Ok(message["result"].clone()),
                            };
                            // Nobody waits any more: as good.
                            let _ = waits.send(outcome);
                        }
                    }
                    None => note(&events, &message),
                }
            }
            // Whoever waits hears that the browser is gone.
            answered.lock().clear();
        });
        Self { next: Arc::default(), says, waiting, heard }
    }

    /// Gives a command, for a page or for the browser as a whole, and waits for what comes of it.
    pub(crate) async fn ask(
        &self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
    ) -> Result<Value, String> {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let (told, outcome) = oneshot::channel();
        self.waiting.lock().insert(id, told);
        let sent = self.says.send(Message::text(command.to_string()));
        sent.map_err(|_| "the browser is gone".to_owned())?;
        match tokio::time::timeout(PATIENCE, outcome).await {
            Ok(Ok(outcome)) => outcome.map_err(|error| format!("{method}: {error}")),
            Ok(Err(_)) => Err(format!("{method}: the browser is gone")),
            Err(_) => Err(format!("{method}: no answer")),
        }
    }

    /// What a page has complained of so far.
    pub(crate) fn complaints(&self, session: &str) -> Vec<String> {
        self.heard.lock().get(session).cloned().unwrap_or_default()
    }
}

/// Keeps what pages complain of: errors nobody caught, warnings, what the browser itself reports (a policy that was broken).
fn note(heard: &Heard, event: &Value) {
    let parameters = &event["params"];
    let text = match event["method"].as_str() {
        Some("Runtime.exceptionThrown") => parameters["exceptionDetails"].to_string(),
        Some("Runtime.consoleAPICalled")
            if ["error", "warning"].iter().any(|kind| parameters["type"] == **kind) =>
        {
            parameters["args"].to_string()
        }
        Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => parameters["entry"].to_string(),
        _ => return,
    };
    if let Some(session) = event["sessionId"].as_str() {
        heard.lock().entry(session.to_owned()).or_default().push(text);
    }
}

/// A running Chromium. Dropped, it is killed.
#[derive(Debug)]
pub struct Browser {
    wire: Wire,
    process: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts one with a profile of its own.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one with these flags beside the usual ones.
    pub async fn start_with(flags: &[&str]) -> Self {
        let program = std::env::var(PROGRAM)
            .unwrap_or_else(|_| panic!("{PROGRAM} names no Chromium: `make browser` does"));
        let profile = TempDir::new().expect("a folder for the profile");
        let log = std::fs::File::create(profile.path().join("chromium.log")).expect("a log file");
        let process = Command::new(&program)
            .args(FLAGS)
            .args(flags)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let address = address(profile.path()).await;
        Self { wire: Wire::to(&address).await, process, _profile: profile }
    }

    /// Somebody with cookies of their own.
    pub async fn visit(&self) -> Visit {
        let made = self.wire.ask(None, "Target.createBrowserContext", json!({})).await.expect("a context");
        Visit { wire: self.wire.clone(), context: text(&made["browserContextId"]) }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Where the program is a script that starts another, that one would stay behind, and go on encoding its video beside
        // all tests that follow: they go as a group.
        if let Some(group) = self.process.id() {
            let kill = format!("kill -9 -{group}");
            let _ = std::process::Command::new("/bin/sh").args(["-c", &kill]).status();
        }
    }
}

/// Where a browser says that it listens: it writes a port and a path into its profile.
async fn address(profile: &Path) -> String {
    let file = profile.join("DevToolsActivePort");
    eventually("Chromium to listen", PATIENCE, || async {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let mut lines = text.lines();
        match (lines.next(), lines.next()) {
            (Some(port), Some(path)) => Ok(format!("ws://127.0.0.1:{port}{path}")),
            _ => Err(std::fs::read_to_string(profile.join("chromium.log")).unwrap_or_default()),
        }
    })
    .await
}

/// A person at a browser: cookies of their own, and any number of tabs.
#[derive(Debug)]
pub struct Visit {
    wire: Wire,
    context: String,
}

impl Visit {
    /// A new tab, still empty. `before` runs in every document before its own scripts.
    pub async fn tab(&self, before: &str) -> Page {
        let wanted = json!({"url": "about:blank", "browserContextId": self.context});
        let made = self.wire.ask(None, "Target.createTarget", wanted).await.expect("a tab");
        let target = text(&made["targetId"]);
        let wanted = json!({"targetId": target, "flatten": true});
        let attached = self.wire.ask(None, "Target.attachToTarget", wanted).await.expect("to steer it");
        let page = Page::new(self.wire.clone(), target, text(&attached["sessionId"]));
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.command(&format!("{domain}.enable"), json!({})).await;
        }
        page.command("Page.addScriptToEvaluateOnNewDocument", json!({"source": before})).await;
        page
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
