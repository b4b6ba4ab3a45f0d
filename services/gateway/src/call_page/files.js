// Recordings and screenshots on their way to the session.

const ATTEMPTS = 5;
const PAUSE = 1000;

/// A picture of what a video shows now, as PNG; `null` while it shows nothing.
export function picture(video) {
  if (!video.videoWidth) return Promise.resolve(null);
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

/// `call-2026-01-31T12-30-00.webm`
export function fileName(suffix) {
  return `call-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.${suffix}`;
}

/// Hands a file in. The same upload is sent again when the line breaks: it is taken once.
export async function handIn({ sessionId, callToken, kind, blob, name }) {
  const query = new URLSearchParams({ kind, name });
  const headers = { "x-call-token": callToken, "idempotency-key": crypto.randomUUID(), "content-type": blob.type };
  for (let attempt = 1; ; attempt += 1) {
    let answer = null;
    try {
      answer = await fetch(`/v1/videoSessions/${sessionId}/call/files?${query}`, { method: "POST", headers, body: blob });
      if (answer.ok) return await answer.json();
    } catch (error) {
      console.warn("a file did not get through", error);
    }
    const isFinal = answer !== null && answer.status < 500 && answer.status !== 429 && answer.status !== 408;
    if (isFinal || attempt === ATTEMPTS) {
      const problem = await answer?.json().catch(() => null);
      throw new Error(problem?.detail ?? "the file did not get through");
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE * attempt));
  }
}
