// When the session has ended the page stays as it is, hidden behind a sign-in. A step that was on its way then goes on.
import { renewToken } from "./send.js";

const LOOK_EVERY = 30_000;

const dialog = document.getElementById("session");
const form = dialog.querySelector("form");
const error = document.getElementById("session-error");
const password = document.getElementById("session-password");
let touched = false; // since the last look
let away = false;
let sending = false;

function wrong(words) {
  error.textContent = words;
}

function leave() {
  if (away) return;
  away = true;
  wrong("");
  dialog.querySelector("a").href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  dialog.showModal();
}

function comeBack() {
  if (!away) return;
  away = false;
  dialog.close();
  form.reset();
  document.dispatchEvent(new CustomEvent("signed-in"));
}

// Asks by itself, which lengthens no session, unless somebody was at the page: reading a film sends nothing else.
async function look() {
  const was = touched && !away;
  touched = false;
  const me = await renewToken(was);
  if (me === undefined) return false; // no answer: says nothing of the session
  if (me === null) leave();
  else if (me.name !== dialog.dataset.name || me.role !== dialog.dataset.role) location.reload();
  else comeBack();
  return true;
}

async function enter() {
  const answer = await fetch("/sign-in", { method: "POST", redirect: "manual", body: new URLSearchParams(new FormData(form)) });
  if (answer.type === "opaqueredirect") return (await look()) ? "" : "The service does not answer. Try again in a moment.";
  const told = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("error");
  return told?.textContent || "Signing in did not work. Try again in a moment.";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (sending) return;
  sending = true;
  wrong("");
  wrong(await enter().catch(() => "The service does not answer. Try again in a moment."));
  sending = false;
  password.value = "";
  if (away) password.focus();
});

// It cannot be left: Esc would uncover the page.
dialog.addEventListener("cancel", (event) => event.preventDefault());
dialog.addEventListener("keydown", (event) => { if (event.key === "Escape") event.preventDefault(); });
dialog.addEventListener("close", () => { if (away) dialog.showModal(); });

for (const kind of ["keydown", "pointerdown", "wheel"]) {
  addEventListener(kind, () => { touched = true; }, { capture: true, passive: true });
}
document.addEventListener("signed-out", leave);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
setInterval(look, LOOK_EVERY);
