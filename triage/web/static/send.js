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

// Who is signed in now; the page takes up the token of that session, which may be a new one. `touched`: somebody was at the
// page. null: nobody is signed in; undefined: no answer.
export async function renewToken(touched = false) {
  const headers = { accept: "application/json", ...(touched && { "x-person": "1" }) };
  try {
    const answer = await fetch("/api/v1/me", { headers });
    if (!answer.ok) return answer.status === 401 ? null : undefined;
    const me = await answer.json();
    meta().content = me.csrf ?? "";
    return me;
  } catch {
    return undefined;
  }
}
