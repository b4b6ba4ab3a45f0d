// The exchange of signals: a WebSocket that is opened again until the call is over (docs/video-calls.md).

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 5000;
/// Close codes after which there is nothing to come back to.
const FINAL = { 1000: "CALL_ENDED", 1003: "INVALID_FIELDS", 1009: "MESSAGE_TOO_LARGE", 4400: "INVALID_FIELDS", 4401: "CALL_TOKEN_INVALID" };

export class Exchange {
  /// `heard`: takes what is heard. `open` and `broken`: it stands, or is opened again. `over`: takes the reason why it is
  /// not.
  constructor({ sessionId, callToken, heard, open, broken, over }) {
    Object.assign(this, { sessionId, callToken, heard, open, broken, over });
    this.pause = FIRST_PAUSE;
    this.socket = null;
    this.waiting = null;
    this.isOver = false;
    this.connect();
  }

  connect() {
    this.waiting = null;
    const address = new URL(`/v1/videoSessions/${this.sessionId}/call`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    let ending = null;
    this.socket = socket;
    socket.onopen = () => {
      socket.send(JSON.stringify({ sessionId: this.sessionId, callToken: this.callToken }));
    };
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket) return;
      const said = JSON.parse(data);
      if (said.ended) {
        ending = said.ended.ending;
        return;
      }
      if (said.state && this.pause !== 0) {
        // The first word: the token was good.
        this.pause = 0;
        this.open();
      }
      this.heard(said);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.socket !== socket || this.isOver) return;
      this.socket = null;
      const final = FINAL[code] ?? (code === 4409 ? reason || ending : null);
      if (final || ending === "CALL_ENDED" || ending === "REPLACED") {
        this.isOver = true;
        this.over(final ?? ending);
        return;
      }
      this.again();
    };
  }

  /// It does not stand any more, and is opened again.
  again() {
    this.broken();
    this.pause = Math.min(Math.max(this.pause * 2, FIRST_PAUSE), LONGEST_PAUSE);
    this.waiting = setTimeout(() => this.connect(), this.pause * (0.75 + Math.random() / 2));
  }

  /// The line may be another now, or none: what stands is left behind, since a dead line does not even say goodbye, and
  /// what waits need not wait.
  renew() {
    if (this.isOver) return;
    if (this.waiting !== null) {
      clearTimeout(this.waiting);
      this.connect();
    } else if (this.socket?.readyState === WebSocket.OPEN) {
      const socket = this.socket;
      this.socket = null;
      socket.close();
      this.again();
    }
  }

  /// Says something, if anybody hears it. What is said while the exchange is broken off is lost, and made good when it
  /// stands again.
  say(signal) {
    if (this.pause !== 0 || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(signal));
    return true;
  }
}
