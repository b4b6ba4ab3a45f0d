// The page of calls: what a person sees and presses. docs/video-calls.md is the law of what is said to the server.

import { forget, given, join, sessionId } from "./credentials.js";
import { Exchange } from "./exchange.js";
import { fileName, handIn, picture } from "./files.js";
import { Peer } from "./peer.js";
import { Recorder, canRecord } from "./recorder.js";

const byId = (id) => document.getElementById(id);
const words = Object.fromEntries(
  [...byId("words").content.querySelectorAll("[data-word]")].map((word) => [word.dataset.word, word.textContent]),
);
const [own, other] = [byId("own"), byId("other")];

/// What the refusals of `:join` mean to a person.
const REFUSED = {
  UNAUTHENTICATED: "notIn",
  NOT_FOUND: "notFound",
  SESSION_OVER: "over",
  SESSION_NOT_CONFIRMED: "notConfirmed",
  SIDE_TAKEN: "sideTaken",
  OTHER_PROVIDER: "otherProvider",
};
/// What the ends of an exchange mean to a person, and whether joining again may help.
const ENDED = {
  CALL_ENDED: ["callEnded", false],
  REPLACED: ["replaced", true],
  NO_CALL: ["linkOver", true],
  CALL_TOKEN_INVALID: ["linkOver", true],
};

/// Pictures follow each other no faster, in milliseconds; so many are shown, the latest.
const PICTURE_EVERY = 1000;
const MOST_PICTURES = 50;
/// How long after a refusal hanging up is tried again.
const HANG_UP_AGAIN = 1000;

let call = null;

function say(word) {
  byId("said").textContent = words[word] ?? word;
}

// The door

/// Camera and microphone, or what there is of them. `null` and what is wrong where there is nothing.
async function media() {
  if (!navigator.mediaDevices) return { stream: null, wrong: "insecure" };
  let wrong = null;
  for (const constraints of [{ audio: true, video: true }, { audio: true }, { video: true }]) {
    try {
      return { stream: await navigator.mediaDevices.getUserMedia(constraints), wrong };
    } catch (error) {
      wrong ??= { NotAllowedError: "denied", NotFoundError: "noCamera", NotReadableError: "cameraBusy" }[error.name] ?? "noMedia";
    }
  }
  return { stream: null, wrong };
}

function atTheDoor(wrong, { scans = false } = {}) {
  const error = byId("door-error");
  error.textContent = words[wrong] ?? wrong;
  error.hidden = false;
  byId("scan").hidden = !scans;
  mayEnter(true);
}

/// Whoever presses twice, or both, enters once.
function mayEnter(may) {
  for (const id of ["join", "without"]) byId(id).disabled = !may;
}

async function enter({ without = false } = {}) {
  mayEnter(false);
  byId("door-error").hidden = true;
  let stream = new MediaStream();
  if (!without) {
    const found = await media();
    if (found.stream === null) {
      byId("without").hidden = false;
      atTheDoor(found.wrong);
      return;
    }
    stream = found.stream;
    if (found.wrong) say(found.wrong);
  }
  try {
    const credentials = given() ?? (await join());
    if ((credentials.provider ?? "BUILT_IN") !== "BUILT_IN") {
      forget();
      throw Object.assign(new Error(), { reason: "OTHER_PROVIDER" });
    }
    begin(credentials, stream);
  } catch (error) {
    for (const track of stream.getTracks()) track.stop();
    const word = REFUSED[error.reason] ?? (error.status === 401 ? "notIn" : null);
    atTheDoor(word ?? error.message, { scans: word === "notIn" });
  }
}

// The call

function begin(credentials, stream) {
  byId("door").hidden = true;
  byId("call").hidden = false;
  own.srcObject = stream;
  own.hidden = stream.getVideoTracks().length === 0;
  call = {
    credentials,
    stream,
    isEmployee: credentials.side === "EMPLOYEE",
    state: {},
    wantsRecording: false,
    hasDeclined: false,
    recorder: null,
    saving: 0,
    pictures: [],
    isCutOff: false,
    isLeaving: false,
    isOver: false,
  };
  byId("record").hidden = !(call.isEmployee && canRecord);
  call.exchange = new Exchange({
    sessionId,
    callToken: credentials.callToken,
    heard,
    open: () => {
      call.isCutOff = false;
      say("");
      if (call.isLeaving) call.exchange.say({ hangUp: {} });
    },
    broken: () => {
      call.peer.lost();
      // Whether the other side still consents is not heard now (V-8).
      call.recorder?.pause();
      // Once, however often it is tried: what was said since stays to be read.
      if (!call.isCutOff) say("reconnecting");
      call.isCutOff = true;
    },
    over,
  });
  call.peer = new Peer({
    polite: credentials.polite === true,
    iceServers: (credentials.iceServers ?? []).map(({ urls, username, credential }) => ({ urls, username, credential })),
    stream,
    say: (signal) => call.exchange.say(signal),
    heard: (remote) => {
      if (other.srcObject !== remote) other.srcObject = remote;
      call.recorder?.voice(remote);
    },
    told: (state) => {
      // Nothing says that a line is dead but that nothing comes over it.
      if (state === "failed") call.exchange.renew();
      showState();
    },
  });
  for (const [id, kind] of [["microphone", "Audio"], ["camera", "Video"]]) {
    byId(id).disabled = stream[`get${kind}Tracks`]().length === 0;
  }
  showState();
  byId("microphone").focus();
}

function heard(said) {
  if (call.isLeaving) {
    if (said.refused) setTimeout(() => call.exchange.say({ hangUp: {} }), HANG_UP_AGAIN);
    return;
  }
  if (said.state) {
    call.state = said.state;
    call.peer.stands(said.state);
    record();
    showState();
  } else if (said.description || said.candidate) {
    call.peer.hear(said);
  } else if (said.screenshot) {
    taken();
  } else if (said.refused) {
    call.wantsRecording = false;
    say(said.refused.reason === "NO_CONSENT" ? "noConsent" : "refused");
    showState();
  }
}

function showState() {
  const { state } = call;
  const connected = call.peer?.connection?.connectionState === "connected";
  byId("waiting").hidden = connected;
  byId("waiting").textContent = state.peerPresent ? words.connecting : words.waiting;
  byId("recording").hidden = !state.recording;
  byId("consent").checked = state.ownConsent === true;
  byId("record").setAttribute("aria-pressed", String(state.recording === true || call.wantsRecording));
  if (!state.peerConsent) call.hasDeclined = false;
  byId("ask").hidden = call.isEmployee || !state.peerConsent || state.ownConsent === true || call.hasDeclined;
}

// Muting, the camera, hanging up

function toggle(button, tracks) {
  const isOff = button.getAttribute("aria-pressed") !== "true";
  for (const track of tracks) track.enabled = !isOff;
  button.setAttribute("aria-pressed", String(isOff));
}

/// Whoever hangs up is neither seen nor heard from then on, whether the server can be told now or not.
function hangUp() {
  call.isLeaving = true;
  leave("hangingUp", false);
  call.exchange.say({ hangUp: {} });
}

function over(reason) {
  if (call.isOver) return;
  call.isOver = true;
  forget();
  // Over before it could be told.
  const isDone = call.isLeaving && reason === "NO_CALL";
  const [word, mayComeBack] = ENDED[isDone ? "CALL_ENDED" : reason] ?? ["broken", true];
  leave(word, mayComeBack);
}

function leave(word, mayComeBack) {
  stopRecording();
  call.peer.close();
  for (const track of call.stream.getTracks()) track.stop();
  byId("call").hidden = true;
  byId("end").hidden = false;
  byId("end-text").textContent = words[word];
  byId("again").hidden = !mayComeBack;
  showSaving();
  byId("end").focus();
}

// Consent and recording (V-8)

function consent(given) {
  if (!call.exchange.say({ consent: { given } })) say("notNow");
  showState();
}

/// Where recording stands against what is wanted. The server lets record or not; here it is followed.
function record() {
  const { state } = call;
  const both = state.ownConsent && state.peerConsent;
  if (state.recording && call.wantsRecording && !call.recorder) {
    call.recorder = new Recorder({ own, other, done: (blob, suffix) => save("RECORDING", blob, suffix) });
    say("");
  } else if (state.recording && call.recorder) {
    call.recorder.resume();
  } else if (!state.recording && call.recorder) {
    stopRecording();
  } else if (!state.recording && call.wantsRecording && both) {
    call.exchange.say({ recording: { running: true } });
  } else if (state.recording && call.isEmployee && !call.recorder) {
    // The page that recorded was left behind.
    call.exchange.say({ recording: { running: false } });
  }
}

function stopRecording() {
  call.wantsRecording = false;
  call.recorder?.stop();
  call.recorder = null;
}

function recordPressed() {
  if (call.state.recording || call.wantsRecording) {
    call.wantsRecording = false;
    if (call.state.recording && !call.exchange.say({ recording: { running: false } })) say("notNow");
    showState();
    return;
  }
  call.wantsRecording = true;
  if (!call.state.ownConsent) consent(true);
  if (!call.state.peerConsent) say("asksConsent");
  record();
  showState();
}

// Pictures: both keep one (V-8)

async function shoot() {
  const blob = await picture(other);
  if (blob === null) {
    say("nothingToSee");
    return;
  }
  // Nobody has a picture of the other that the other does not hear of.
  if (!call.exchange.say({ screenshot: {} })) {
    say("notNow");
    return;
  }
  byId("screenshot").disabled = true;
  setTimeout(() => (byId("screenshot").disabled = false), PICTURE_EVERY);
  show(blob);
  save("SCREENSHOT", blob, "png");
}

/// The other side took a picture of what is seen here. More than one a second are one; the session has them all.
async function taken() {
  say("otherTook");
  if (call.takes) return;
  const rest = (call.tookAt ?? -Infinity) + PICTURE_EVERY - performance.now();
  call.takes = true;
  if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
  call.takes = false;
  call.tookAt = performance.now();
  const blob = await picture(own);
  if (blob !== null) show(blob);
}

function show(blob) {
  const address = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: address, download: fileName("png") });
  const image = Object.assign(document.createElement("img"), { src: address, alt: words.savePicture });
  const item = document.createElement("li");
  link.append(image);
  item.append(link);
  byId("pictures").append(item);
  call.pictures.push({ address, item });
  if (call.pictures.length > MOST_PICTURES) {
    const oldest = call.pictures.shift();
    oldest.item.remove();
    URL.revokeObjectURL(oldest.address);
  }
}

async function save(kind, blob, suffix) {
  call.saving += 1;
  showSaving();
  try {
    const { callToken } = call.credentials;
    await handIn({ sessionId, callToken, kind, blob, name: fileName(suffix) });
    say("saved");
  } catch (error) {
    console.warn("a file was not taken", error);
    call.hasLost = true;
    say("notSaved");
  }
  call.saving -= 1;
  showSaving();
}

function showSaving() {
  const text = call.saving > 0 ? words.saving : call.hasLost ? words.notSaved : "";
  byId("end-more").textContent = text;
}

for (const kind of ["online", "offline"]) addEventListener(kind, () => call?.exchange?.renew());
addEventListener("beforeunload", (event) => {
  if (call?.saving > 0) event.preventDefault();
});

byId("join").addEventListener("click", () => enter());
byId("without").addEventListener("click", () => enter({ without: true }));
byId("again").addEventListener("click", () => location.reload());
byId("microphone").addEventListener("click", ({ currentTarget }) => toggle(currentTarget, call.stream.getAudioTracks()));
byId("camera").addEventListener("click", ({ currentTarget }) => toggle(currentTarget, call.stream.getVideoTracks()));
byId("consent").addEventListener("change", ({ currentTarget }) => consent(currentTarget.checked));
byId("record").addEventListener("click", recordPressed);
byId("screenshot").addEventListener("click", shoot);
byId("agree").addEventListener("click", () => consent(true));
byId("disagree").addEventListener("click", () => {
  call.hasDeclined = true;
  showState();
});
byId("hang-up").addEventListener("click", hangUp);

given();
mayEnter(true);
if (!sessionId) {
  atTheDoor("noSession");
  mayEnter(false);
}
