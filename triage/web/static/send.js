// How a page asks for a change: with the token that proves that the page is ours, and an answer that is always in words.

const meta = () => document.querySelector('meta[name="csrf"]');

// → {ok, status, body}: body is the JSON of the answer; status 0: no answer at all.
export async function send(path, body) {
  const headers = { "x-csrf-token": meta()?.content ?? "", accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    const answer = await fetch(path, { method: "POST", headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const told = await answer.json().catch(() => ({ detail: "This change did not go through. Reload the page and try again." }));
    if (answer.status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
    return { ok: answer.ok, status: answer.status, body: told };
  } catch {
    return { ok: false, status: 0, body: { detail: "The service does not answer; nothing was changed. Try again in a moment." } };
  }
}

// After signing in again over a page that stayed: the new session has a token of its own.
export async function renewToken() {
  const answer = await fetch("/api/v1/me", { headers: { accept: "application/json" } });
  if (!answer.ok) return null;
  const me = await answer.json();
  meta().content = me.csrf ?? "";
  return me;
}
