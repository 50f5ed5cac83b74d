// How a page asks for a change: with the token that proves that the page is ours, and an answer that is always in words.

const LONGEST = 8_000; // ms: then the answer counts as lost
const LOST = "The service does not answer. It is not known whether it was changed; look at the study.";
const NOT_OURS = "This change did not go through. Reload the page and try again.";

const meta = () => document.querySelector('meta[name="csrf"]');

// → {ok, status, body}: body is the JSON of the answer; status 0: no answer, and whether the change was made is not known.
export async function send(path, body) {
  const headers = { "x-csrf-token": meta()?.content ?? "", accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    const signal = AbortSignal.timeout(LONGEST);
    const answer = await fetch(path, { method: "POST", headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
    const told = read(await answer.text());
    if (answer.status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
    if (told) return { ok: answer.ok, status: answer.status, body: told };
    // not the service's words: of something before it, which may have asked the service already
    if (answer.status < 500 && !answer.ok) return { ok: false, status: answer.status, body: { detail: NOT_OURS } };
  } catch { /* cut off, or too late */ }
  return { ok: false, status: 0, body: { detail: LOST } };
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// Who is signed in now; the page takes up the token of that session, which may be a new one. `touched`: somebody was at the
// page. null: nobody is signed in; undefined: no answer.
export async function renewToken(touched = false) {
  const headers = { accept: "application/json", ...(touched && { "x-person": "1" }) };
  try {
    const answer = await fetch("/api/v1/me", { headers, signal: AbortSignal.timeout(LONGEST) });
    if (!answer.ok) return answer.status === 401 ? null : undefined;
    const me = await answer.json();
    meta().content = me.csrf ?? "";
    return me;
  } catch {
    return undefined;
  }
}
