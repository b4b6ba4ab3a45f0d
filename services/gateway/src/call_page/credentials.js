// What the page was opened with: the answer of `:join`, in the part of the address that browsers send to nobody.

const session = location.pathname.split("/")[2] ?? "";
const key = `callboard.call.${session}`;

/// The session of this page, as its address names it.
export const sessionId = session;

/// Out of the address, which from then on does not show them; else as this tab kept them, so that a reload comes back to
/// the same place. `null`: neither.
export function given() {
  const fragment = location.hash.slice(1);
  if (fragment) {
    history.replaceState(null, "", location.pathname);
    try {
      const credentials = JSON.parse(decodeURIComponent(fragment));
      if (typeof credentials.callToken === "string") {
        keep(credentials);
        return credentials;
      }
    } catch {
      // No credentials of ours: as if there were none.
    }
  }
  return JSON.parse(sessionStorage.getItem(key) ?? "null");
}

/// Keeps them for as long as the tab is there.
export function keep(credentials) {
  sessionStorage.setItem(key, JSON.stringify(credentials));
}

/// They are worth nothing any more.
export function forget() {
  sessionStorage.removeItem(key);
}

/// Joins as the person whom a scanned code let in. Throws an error with the reason of the refusal.
export async function join() {
  const answer = await fetch(`/call/${session}/join`, { method: "POST" });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw Object.assign(new Error(body.detail ?? answer.statusText), { reason: body.reason, status: answer.status });
  }
  keep(body);
  return body;
}
