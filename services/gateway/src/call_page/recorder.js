// A recording: the other side's picture with one's own in a corner, and both voices. It goes on when the connection
// between the browsers is begun anew.

const TYPES = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];
const WIDTH = 1280;
const HEIGHT = 720;
const FRAMES_PER_SECOND = 15;
/// A file has at most 50 MiB: a longer recording becomes several.
const PART = 45 * 1024 * 1024;

/// Whether this browser can record.
export const canRecord = typeof MediaRecorder === "function" && TYPES.some((type) => MediaRecorder.isTypeSupported(type));

/// Draws a video into a box as large as fits, in the middle.
function fit(context, video, x, y, width, height) {
  if (!video.videoWidth) return;
  const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
  const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
  context.drawImage(video, x + (width - w) / 2, y + (height - h) / 2, w, h);
}

export class Recorder {
  /// `own` and `other` are video elements; `done` takes each part as a Blob.
  constructor({ own, other, done }) {
    Object.assign(this, { own, other, done });
    this.canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
    this.sound = new AudioContext();
    this.mixed = this.sound.createMediaStreamDestination();
    this.sources = new Map();
    this.voice(own.srcObject);
    this.voice(other.srcObject);
    const tracks = [...this.canvas.captureStream(FRAMES_PER_SECOND).getTracks(), ...this.mixed.stream.getTracks()];
    this.stream = new MediaStream(tracks);
    this.drawing = setInterval(() => this.draw(), 1000 / FRAMES_PER_SECOND);
    this.begin();
  }

  /// A voice that is heard from now on: that of a new connection too.
  voice(stream) {
    for (const track of stream?.getAudioTracks() ?? []) {
      if (this.sources.has(track.id)) continue;
      const source = this.sound.createMediaStreamSource(new MediaStream([track]));
      source.connect(this.mixed);
      this.sources.set(track.id, source);
    }
  }

  draw() {
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, WIDTH, HEIGHT);
    fit(context, this.other, 0, 0, WIDTH, HEIGHT);
    fit(context, this.own, WIDTH - 330, HEIGHT - 190, 320, 180);
  }

  begin() {
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    const recorder = new MediaRecorder(this.stream, { mimeType, videoBitsPerSecond: 1_000_000, audioBitsPerSecond: 64_000 });
    const pieces = [];
    let size = 0;
    recorder.ondataavailable = ({ data }) => {
      if (data.size > 0) pieces.push(data);
      size += data.size;
      if (size > PART && recorder.state === "recording") {
        recorder.stop();
        this.begin();
      }
    };
    recorder.onstop = () => {
      const type = mimeType.split(";")[0];
      if (size > 0) this.done(new Blob(pieces, { type }), type.split("/")[1]);
    };
    recorder.start(1000);
    this.recorder = recorder;
  }

  /// Nothing is recorded for a while.
  pause() {
    if (this.recorder.state === "recording") this.recorder.pause();
  }

  /// It goes on.
  resume() {
    if (this.recorder.state === "paused") this.recorder.resume();
  }

  /// The recording ends; its last part is told.
  stop() {
    clearInterval(this.drawing);
    if (this.recorder.state !== "inactive") this.recorder.stop();
    for (const track of this.stream.getTracks()) track.stop();
    this.sound.close();
  }
}
