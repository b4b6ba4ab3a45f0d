//! An employee and a visitor in a call, each at a browser.

use std::panic::{AssertUnwindSafe, resume_unwind};

use callboard_browser_tests::{Browser, Page, Visit};
use callboard_e2e_tests::{Client, Platform, World};
use callboard_testkit::{PATIENCE, eventually};
use futures::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};

/// Lets a test look at what pages keep to themselves: their connections, their sockets, their recorders.
const WATCH: &str = r"
window.peers = [];
window.sockets = [];
window.recorders = [];
const [Peer, Socket, Recorder] = [RTCPeerConnection, WebSocket, MediaRecorder];
window.RTCPeerConnection = class extends Peer { constructor(...all) { super(...all); window.peers.push(this); } };
window.WebSocket = class extends Socket { constructor(...all) { super(...all); window.sockets.push(this); } };
window.MediaRecorder = class extends Recorder {
    constructor(...all) {
        super(...all);
        window.recorders.push(Object.assign(this, { got: 0 }));
        this.addEventListener('dataavailable', ({ data }) => { this.got += data.size; });
    }
};
";

/// How a page stands, for whoever must find out why a test failed.
const STANDS: &str = r"({
    says: document.body.innerText,
    sockets: window.sockets?.map((one) => one.readyState),
    peers: window.peers?.map((one) => [one.connectionState, one.iceConnectionState, one.signalingState]),
    descriptions: window.peers?.slice(-2).map((one) => [one.localDescription, one.remoteDescription]
        .map((of) => of && `${of.type} ${/^o=.*$/m.exec(of.sdp)?.[0]}`)),
})";

/// What the connection that works has received so far; null: none works.
const RECEIVED: &str = r"(async () => {
    const peer = window.peers.findLast((one) => one.connectionState === 'connected');
    if (!peer) return null;
    const got = { frames: 0, bytes: 0, energy: 0 };
    for (const report of (await peer.getStats()).values()) {
        if (report.type !== 'inbound-rtp') continue;
        if (report.kind === 'video') got.frames += report.framesDecoded ?? 0;
        else { got.bytes += report.bytesReceived ?? 0; got.energy += report.totalAudioEnergy ?? 0; }
    }
    return got;
})()";

/// What the other side's picture looks like: how many colours, how bright.
const SEEN: &str = r"(() => {
    const video = document.querySelector('#other');
    if (!video.videoWidth) return null;
    const [canvas, size] = [document.createElement('canvas'), 64];
    canvas.width = canvas.height = size;
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, size, size);
    const { data } = context.getImageData(0, 0, size, size);
    const [colours, sum] = [new Set(), { value: 0, light: 0 }];
    for (let at = 0; at < data.length; at += 4) {
        colours.add(`${data[at] >> 4} ${data[at + 1] >> 4} ${data[at + 2] >> 4}`);
        sum.light += data[at] + data[at + 1] + data[at + 2];
        sum.value = (sum.value * 31 + data[at] * 7 + data[at + 1] * 3 + data[at + 2]) % 1000003;
    }
    return { colours: colours.size, light: sum.light / (size * size * 3), fingerprint: sum.value };
})()";

/// The people, their browser and their session.
pub struct Scene {
    pub world: World,
    pub max: Client,
    pub session: String,
    pub gateway: String,
    pub visits: (Visit, Visit),
    _browser: Browser,
}

impl Scene {
    /// A moderator makes a session on the coffee machine; nobody is in it yet.
    pub async fn new(domain: &str) -> Self {
        let platform = Platform::shared().await;
        let world = World::make(platform, domain).await;
        let max = world.person("max").await;
        let new = json!({"deviceId": world.demo.coffee_machine, "reason": "It hisses"});
        let session = eventually("the device to be known", PATIENCE, || async {
            let answer = max.post("/v1/videoSessions", new.clone()).await;
            if answer.status.is_success() { Ok(answer.body) } else { Err(answer.body) }
        })
        .await;
        let session = session["id"].as_str().expect("an id").to_owned();
        let browser = Browser::start().await;
        let visits = (browser.visit().await, browser.visit().await);
        Self { world, max, session, gateway: platform.gateway_url(), visits, _browser: browser }
    }

    /// The page of calls of this session.
    pub fn page(&self) -> String {
        format!("{}/call/{}", self.gateway, self.session)
    }

    pub async fn found(&self) -> Value {
        self.max.get(&format!("/v1/videoSessions/{}", self.session)).await.ok()
    }

    /// Waits until the session is as wanted.
    pub async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, PATIENCE, || async {
            let found = self.found().await;
            if holds(&found) { Ok(found) } else { Err(found) }
        })
        .await
    }

    /// The employee's app joins and opens the page with what it was answered.
    pub async fn host(&self) -> Page {
        let path = format!("/v1/videoSessions/{}:join", self.session);
        let joined = self.max.call(Method::POST, &path, None).await.ok();
        let credentials = encoded(&joined["credentials"].to_string());
        let page = self.visits.0.tab(WATCH).await;
        page.open(&format!("{}#{credentials}", self.page())).await;
        assert_eq!(page.evaluate("location.hash").await, "", "the token is not shown any longer than needed");
        page.press("#join").await;
        page
    }

    /// The visitor scans the code and opens the join link.
    pub async fn guest(&self) -> Page {
        let page = self.visits.1.tab(WATCH).await;
        page.open(&format!("{}/c/{}", self.gateway, self.world.demo.coffee_code)).await;
        page.open(&self.page()).await;
        page.press("#join").await;
        page
    }
}

/// Percent-encoded, all of it.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// How much of something a page has received.
async fn received(page: &Page) -> (f64, f64, f64) {
    page.until_some("a connection that works", RECEIVED, |got| {
        let number = |name: &str| got[name].as_f64();
        number("frames").zip(number("bytes")).zip(number("energy")).map(|((a, b), c)| (a, b, c)).ok_or(got)
    })
    .await
}

/// Shows that either sees and hears the other, now. If not, it is told how both pages stand: what is wrong with one is
/// often seen on the other.
pub async fn see_and_hear_each_other(host: &Page, guest: &Page) {
    for page in [host, guest] {
        let shown = AssertUnwindSafe(sees_and_hears(page)).catch_unwind().await;
        if let Err(panic) = shown {
            for (name, page) in [("host", host), ("guest", guest)] {
                let stands = page.try_evaluate(STANDS).await;
                #[expect(clippy::print_stderr, reason = "for whoever reads the failed test")]
                {
                    eprintln!("the {name}'s page: {stands:#?}, complained of {:#?}", page.complaints());
                }
            }
            resume_unwind(panic);
        }
    }
}

/// Shows that the other side's picture and sound arrive, now.
async fn sees_and_hears(page: &Page) {
    let before = received(page).await;
    page.until_some("frames, bytes and energy of sound to grow", RECEIVED, |got| {
        let grows = |name: &str, before: f64| got[name].as_f64().is_some_and(|now| now > before);
        let all = grows("frames", before.0 + 10.0) && grows("bytes", before.1) && grows("energy", before.2);
        if all { Ok(()) } else { Err((before, got)) }
    })
    .await;
    let picture = |seen: Value| {
        let is_one = seen["colours"].as_u64() >= Some(3) && seen["light"].as_f64() > Some(10.0);
        if is_one { Ok(seen["fingerprint"].clone()) } else { Err(seen) }
    };
    let first = page.until_some("a picture of the other side", SEEN, picture).await;
    page.until_some("the picture to move", SEEN, |seen| {
        picture(seen).and_then(|now| if now == first { Err(now) } else { Ok(()) })
    })
    .await;
}
