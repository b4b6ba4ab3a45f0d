// Audio and video from browser to browser: one RTCPeerConnection after another, by "perfect negotiation".
//
// A connection is begun anew whenever the two cannot be sure to speak of the same one: the other side joined anew or
// reloaded its page, or signals were lost while the exchange was broken off. One that works is left alone.

/// How long an offer may stay without an answer: then it was lost. The two do not wait equally long.
const UNANSWERED = { polite: 8000, impolite: 5000 };
const BROKEN = ["failed", "disconnected", "closed"];

/// Which RTCPeerConnection made a description: the session of its origin line.
function origin(sdp) {
  return /^o=\S+ (\S+)/m.exec(sdp)?.[1];
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
    this.work = Promise.resolve();
  }

  /// How the call stands: whether the other side is there, and by which joining.
  stands({ peerPresent = false, peerConnectionId = "" }) {
    const isAnother = this.peerId !== null && peerConnectionId !== this.peerId;
    const came = peerPresent && !this.present;
    this.present = peerPresent;
    if (!peerPresent) return;
    this.peerId = peerConnectionId;
    if (this.early) {
      // Their offer was here before the news.
      this.early = false;
    } else if (isAnother || (came && !this.works())) {
      this.restart();
    }
  }

  /// The exchange broke off: what was said since may be lost.
  lost() {
    this.present = false;
    this.early = false;
  }

  works() {
    const at = this.connection;
    return at !== null && at.signalingState === "stable" && !BROKEN.includes(at.connectionState);
  }

  restart() {
    this.close();
    const at = new RTCPeerConnection({ iceServers: this.iceServers });
    this.connection = at;
    this.makingOffer = false;
    this.ignoresOffer = false;
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
      this.say({
        candidate: {
          candidate: candidate?.candidate ?? "",
          sdpMid: candidate?.sdpMid ?? "",
          sdpMLineIndex: candidate?.sdpMLineIndex ?? 0,
          usernameFragment: candidate?.usernameFragment ?? "",
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
      else at.addTransceiver(kind, { direction: "recvonly" });
    }
  }

  describe(at) {
    const { type, sdp } = at.localDescription;
    this.say({ description: { type, sdp } });
  }

  expectAnswer(at) {
    const patience = this.polite ? UNANSWERED.polite : UNANSWERED.impolite;
    setTimeout(() => {
      if (this.connection === at && this.present && at.signalingState === "have-local-offer") this.restart();
    }, patience);
  }

  /// What the other side says, one after the other.
  hear(signal) {
    this.work = this.work
      .then(() => (signal.description ? this.described(signal.description) : this.found(signal.candidate)))
      .catch((error) => console.warn("a signal did not fit", error));
  }

  async described({ type, sdp = "" }) {
    const theirs = origin(sdp);
    if (type === "offer" && (this.connection === null || (this.theirs !== null && this.theirs !== theirs))) {
      this.restart();
      this.early = !this.present;
    }
    const at = this.connection;
    // An answer to an offer of a connection that is gone.
    if (type === "answer" && at?.signalingState !== "have-local-offer") return;
    const collides = type === "offer" && (this.makingOffer || at.signalingState !== "stable");
    this.ignoresOffer = !this.polite && collides;
    if (this.ignoresOffer) return;
    await at.setRemoteDescription({ type, sdp });
    if (this.connection !== at) return;
    this.theirs = theirs;
    if (type === "offer") {
      await at.setLocalDescription();
      if (this.connection === at) this.describe(at);
    }
  }

  async found({ candidate = "", sdpMid = "", sdpMLineIndex = 0, usernameFragment = "" }) {
    const at = this.connection;
    if (at === null || at.remoteDescription === null) return;
    try {
      const found = candidate ? { candidate, sdpMid, sdpMLineIndex, usernameFragment } : undefined;
      await at.addIceCandidate(found);
    } catch (error) {
      // Of an offer that was ignored, or of a connection that is gone.
      if (!this.ignoresOffer) console.debug("a candidate did not fit", error);
    }
  }

  close() {
    this.connection?.close();
    this.connection = null;
    this.theirs = null;
  }
}
