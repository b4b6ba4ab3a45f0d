// Audio and video from browser to browser: one RTCPeerConnection after another, by "perfect negotiation".
//
// A connection is begun anew whenever the two cannot be sure to speak of the same one: the other side joined anew or
// reloaded its page, or signals were lost while the exchange was broken off. One that works is left alone.

/// How long an offer may stay without an answer: then it or its answer was lost or is late, and it is said again. The two do
/// not wait equally long.
const UNANSWERED = { polite: 8000, impolite: 5000 };
/// So often an offer is said; then another connection is tried.
const ATTEMPTS = 5;

/// Which RTCPeerConnection made a description, and which of its descriptions it is: session and version of its origin
/// line (RFC 8866, 5.2).
function origin(sdp = "") {
  const [, session, version] = /^o=\S+ (\S+) (\S+)/m.exec(sdp) ?? [];
  return { session, name: session && `${session} ${version}` };
}

/// What connectivity checks are signed with: a candidate belongs to the description that names its fragment.
function fragments(sdp = "") {
  return [...sdp.matchAll(/^a=ice-ufrag:(\S+)/gm)].map(([, fragment]) => fragment);
}

export class Peer {
  /// `say`: sends a signal. `heard`: takes the other side's MediaStream. `told`: takes the state of the connection.
  constructor({ polite, iceServers, stream, say, heard, told }) {
    Object.assign(this, { polite, iceServers, stream, say, heard, told });
    this.connection = null;
    this.theirs = null;
    this.peerId = null;
    this.present = false;
    this.early = false;
    this.answered = new Set();
    // Connections of theirs that one of ours was joined with which is gone: what was begun with it cannot be gone on with,
    // neither the addresses that were checked nor the keys.
    this.spent = new Set();
    this.work = Promise.resolve();
  }

  /// How the call stands: whether the other side is there, and by which joining.
  stands({ peerPresent = false, peerConnectionId = "" }) {
    const isAnother = this.peerId !== null && peerConnectionId !== this.peerId;
    const came = peerPresent && !this.present;
    this.present = peerPresent;
    if (!peerPresent) return;
    this.peerId = peerConnectionId;
    // An offer that was here before the news was theirs, or that of a page they have left: whether it came to anything tells.
    const isMet = this.early || !isAnother;
    this.early = false;
    if ((isAnother || came) && !(isMet && this.works())) this.restart();
  }

  /// The exchange broke off: what was said since may be lost.
  lost() {
    this.present = false;
    this.early = false;
  }

  /// One that is just being made does not work yet: addresses of it may be among what was lost.
  works() {
    const at = this.connection;
    return at !== null && at.signalingState === "stable" && at.connectionState === "connected";
  }

  /// Another connection: one that offers, or one that is to answer.
  restart({ offers = true } = {}) {
    this.close();
    const at = new RTCPeerConnection({ iceServers: this.iceServers });
    this.connection = at;
    this.gone = new Promise((resolve) => (this.end = resolve));
    const isCurrent = () => this.connection === at;
    at.onnegotiationneeded = async () => {
      try {
        this.makingOffer = true;
        await at.setLocalDescription();
        if (!isCurrent() || at.localDescription?.type !== "offer") return;
        this.describe(at);
        this.expectAnswer(at);
      } catch (error) {
        console.warn("no offer could be made", error);
      } finally {
        if (isCurrent()) this.makingOffer = false;
      }
    };
    at.onicecandidate = ({ candidate }) => {
      if (!isCurrent()) return;
      // That there are no more has a fragment as well: the other side may be at another connection by now.
      const fragment = candidate?.usernameFragment ?? fragments(at.localDescription?.sdp)[0];
      this.say({
        candidate: {
          candidate: candidate?.candidate ?? "",
          sdpMid: candidate?.sdpMid ?? "",
          sdpMLineIndex: candidate?.sdpMLineIndex ?? 0,
          usernameFragment: fragment ?? "",
        },
      });
    };
    const remote = new MediaStream();
    at.ontrack = ({ track }) => {
      remote.addTrack(track);
      if (isCurrent()) this.heard(remote);
    };
    at.onconnectionstatechange = () => {
      if (!isCurrent()) return;
      if (at.connectionState === "failed") at.restartIce();
      this.told(at.connectionState);
    };
    for (const kind of ["audio", "video"]) {
      const track = this.stream.getTracks().find((one) => one.kind === kind);
      if (track) at.addTrack(track, this.stream);
      // Of an offer's own there is one for each kind already, and a second would be offered back.
      else if (offers) at.addTransceiver(kind, { direction: "recvonly" });
    }
  }

  describe(at, answers) {
    const { type, sdp } = at.localDescription;
    this.say({ description: answers === undefined ? { type, sdp } : { type, sdp, answers } });
  }

  /// Says an offer again while no answer comes: the first one that comes fits, however late it is.
  expectAnswer(at, attempts = 1) {
    const { name } = origin(at.localDescription.sdp);
    const again = () => {
      if (this.connection !== at || !this.awaits(at, name)) return;
      if (!this.present || attempts < ATTEMPTS) {
        this.describe(at);
        this.expectAnswer(at, this.present ? attempts + 1 : attempts);
      } else {
        this.restart();
      }
    };
    setTimeout(again, this.polite ? UNANSWERED.polite : UNANSWERED.impolite);
  }

  /// Whether it is an answer to this offer that is waited for. An answer that does not say what it answers is taken for the
  /// right one.
  awaits(at, answers) {
    if (at?.signalingState !== "have-local-offer") return false;
    return !answers || answers === origin(at.localDescription?.sdp).name;
  }

  /// What the other side says, one after the other.
  hear(signal) {
    this.work = this.work
      .then(() => (signal.description ? this.described(signal.description) : this.found(signal.candidate)))
      .catch((error) => console.warn("a signal did not fit", error));
  }

  /// Whether a step of a connection was made, and the connection is still the one that counts. What is asked of one that is
  /// closed meanwhile never comes to an end, and nobody may wait for it.
  async done(at, step) {
    await Promise.race([step, this.gone]);
    return this.connection === at;
  }

  async described({ type, sdp = "", answers = "" }) {
    const theirs = origin(sdp);
    if (type === "rollback") return this.takenBack(answers);
    if (type === "offer" && this.spent.has(theirs.session)) {
      this.say({ description: { type: "rollback", sdp: "", answers: theirs.name } });
      return;
    }
    if (type === "offer") this.makeWay(theirs);
    const at = this.connection;
    if (type === "answer" && !this.awaits(at, answers)) {
      // Said again, or to an offer of a connection that is gone. The other side may believe in that one, while an old offer
      // of theirs is believed in here: then the two wait for each other.
      const isNew = answers !== "" && !this.answered.has(answers);
      if (isNew && at?.signalingState === "stable" && !this.works()) this.restart();
      return;
    }
    if (type === "answer") this.answered.add(origin(at.localDescription.sdp).name);
    if (type === "offer" && !this.polite && this.isBusy()) return;
    if (!(await this.done(at, at.setRemoteDescription({ type, sdp })))) return;
    this.theirs = theirs.session;
    if (type === "offer" && (await this.done(at, at.setLocalDescription()))) this.describe(at, theirs.name);
  }

  /// The other side had answered this offer, and what had answered is gone: there is nobody any more whom it could join.
  takenBack(offer) {
    if (offer && this.awaits(this.connection, offer)) this.restart();
  }

  /// A connection that was not begun with theirs cannot answer it, and gives way to one that can; unless it is the polite
  /// side that is to give way.
  makeWay({ session }) {
    if (this.theirs === session || (this.theirs === null && !this.polite && this.isBusy())) return;
    this.restart({ offers: false });
    this.early = !this.present;
  }

  /// Whether an offer of its own is on its way.
  isBusy() {
    return this.makingOffer || (this.connection !== null && this.connection.signalingState !== "stable");
  }

  async found({ candidate = "", sdpMid = "", sdpMLineIndex = 0, usernameFragment = "" }) {
    const at = this.connection;
    if (at === null || at.remoteDescription === null) return;
    // Of an offer that was ignored, or of a connection that is gone: one that names no fragment says so nowhere, and that
    // there are no more would hold for a connection that it was not said of.
    const isOurs = usernameFragment ? fragments(at.remoteDescription.sdp).includes(usernameFragment) : candidate !== "";
    if (!isOurs) return;
    try {
      const found = { candidate, sdpMid, sdpMLineIndex, usernameFragment: usernameFragment || undefined };
      await this.done(at, at.addIceCandidate(candidate ? found : undefined));
    } catch (error) {
      console.debug("a candidate did not fit", error);
    }
  }

  close() {
    this.connection?.close();
    this.end?.();
    if (this.theirs !== null) this.spent.add(this.theirs);
    this.connection = null;
    this.theirs = null;
    this.makingOffer = false;
  }
}
