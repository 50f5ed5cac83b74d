// Who reads this study: the steps and their keys, all of it kept up to date in place, and the lease of a claim, which
// lasts while the page is open.
import { follow } from "./feed.js";
import { ReadingDesk } from "./reading.js";
import { send } from "./send.js";

const FRESHEN_EVERY = 60_000; // a claim can end without a word
const ASK_EVERY = 10_000; // while the stream is cut off
const SILENCE = 35_000; // the stream says something every 15 s
const LONGEST = 8_000;

const study = document.getElementById("study");
const { uid } = study.dataset;
const said = document.getElementById("reading-said");
const shortcuts = document.getElementById("shortcuts");
const bar = () => document.getElementById("reading");
const opened = { ...bar().dataset };
const isMine = ({ state, mine }) => state === "claimed" && mine === "true";
let held = isMine(opened); // whether the reader believes to hold it
let newest = 0;
let stream = true; // whether changes are told of
let failing = false; // whether the last question got no answer
let asked = Date.now();
let contact = Date.now(); // until when what is shown was right
let skew = 0; // the server's clock counts, not this workstation's

export const desk = new ReadingDesk({
  say: (words) => { said.textContent = words; },
  changed: (_, { reading }) => {
    held = reading.state === "claimed" && reading.reader === document.getElementById("session").dataset.name;
    refresh();
  },
  keys: () => shortcuts.checked,
});

export const STEPS = desk.able
  ? {
      claim: () => desk.claim(bar()),
      release: () => desk.release(bar()),
      takeOver: () => desk.takeOver(bar()),
      unread: () => desk.unread(bar()),
      stat: () => desk.stat(bar()),
      read,
      next,
    }
  : {};
export const KEYS = desk.able
  ? { c: STEPS.claim, r: STEPS.release, t: STEPS.takeOver, m: STEPS.read, s: STEPS.stat, n: STEPS.next }
  : {};

async function read() {
  if (bar().dataset.images !== opened.images) {
    return desk.tell("An image arrived after this page was opened; load it first: u", { alarm: true });
  }
  if (!(await desk.read(bar()))) return undefined;
  // the button that was pressed is gone; whoever stands on the film stays there
  if (!document.activeElement.matches(".pane canvas")) document.getElementById("reading-next").focus({ preventScroll: true });
  return undefined;
}

async function next() {
  const answer = await fetch(`/api/v1/next?after=${uid}`, { signal: AbortSignal.timeout(LONGEST) }).catch(() => null);
  if (answer?.status === 401) return document.dispatchEvent(new CustomEvent("signed-out"));
  if (!answer?.ok) return desk.tell("The service does not answer. Try again in a moment.", { alarm: true });
  const { study_instance_uid: found } = await answer.json();
  const { back } = study.dataset;
  if (found) location.assign(`/study/${found}${back && `?${back}`}`);
  else desk.tell("No other study is free.");
}

async function refresh() {
  const token = ++newest;
  asked = Date.now();
  let text = null;
  try {
    const answer = await fetch(`/fragments/study?uid=${uid}`, { signal: AbortSignal.timeout(LONGEST) });
    if (answer.status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
    if (answer.ok) {
      skew = (Date.parse(answer.headers.get("date")) || Date.now()) - Date.now();
      text = await answer.text();
    }
  } catch { /* no answer: said below */ }
  if (token !== newest) return;
  failing = text === null;
  if (failing) return tellCutOff();
  contact = Date.now();
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const focused = document.activeElement?.closest("#reading button")?.id;
  for (const id of ["reading", "marks", "where", "readings"]) {
    const old = document.getElementById(id);
    const now = fresh.getElementById(id);
    if (!old.isEqualNode(now)) old.replaceWith(now);
  }
  if (focused && !bar().contains(document.activeElement)) {
    (document.getElementById(focused) ?? document.getElementById("reading-next"))?.focus({ preventScroll: true });
  }
  tellLoss(bar().dataset);
  tellChange(bar().dataset);
}

function tellLoss(now) {
  const lost = held && !isMine(now);
  held = isMine(now);
  if (!lost) return;
  if (now.state === "claimed") desk.tell(`${now.reader} has taken this study over from you.`, { alarm: true });
  else if (now.state === "unread") desk.tell("Your claim on this study is over; claim it again: c", { alarm: true });
}

// The film and the tables below wait for a key: nothing of them moves by itself.
function tellChange(now) {
  const more = Number(now.images) - Number(opened.images);
  const changed = document.getElementById("changed");
  const words = [];
  if (more) words.push(`+${more} ${more === 1 ? "image" : "images"}`);
  if (more && now.network === "pending") words.push("re-analysing");
  else if (now.network !== opened.network) words.push(now.network.replaceAll("_", " "));
  if (now.doubt !== opened.doubt) words.push("its films are in doubt");
  changed.hidden = !words.length;
  if (words.length) changed.querySelector("strong").textContent = `This study has changed: ${words.join(", ")}.`;
}

const isCutOff = () => failing || Date.now() - contact > SILENCE;

// In the bar's first line, until a bar of the service takes its place.
function tellCutOff() {
  const { state, reader } = bar().dataset;
  const time = new Date(contact + skew).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const whose = isMine(bar().dataset) ? "yours" : state === "claimed" ? `with ${reader}` : state;
  const words = `Disconnected – ${whose} as of ${time}`;
  const place = bar().querySelector(".status");
  if (place.textContent === words) return;
  const square = Object.assign(document.createElement("span"), { className: "square" });
  const told = Object.assign(document.createElement("span"), { className: "cut-off" });
  square.setAttribute("aria-hidden", "true");
  told.append(square, words);
  place.replaceChildren(told);
  said.textContent = words;
}

function hear({ kind }) {
  const wasCutOff = !stream || failing;
  stream = kind !== "lost";
  if (kind !== "alive" || wasCutOff) refresh(); // lost, too: is it only the stream, or the service?
  else contact = Date.now();
}

function tick() {
  if (isCutOff()) tellCutOff();
  if (Date.now() - asked > (stream && !isCutOff() ? FRESHEN_EVERY : ASK_EVERY)) refresh();
}

async function renew() {
  if (!isMine(bar().dataset)) return;
  const answer = await send(`/api/v1/studies/${uid}/renew`);
  if (answer.status === 409) refresh();
}

const again = follow(hear);
document.addEventListener("signed-in", () => { again(); refresh(); });
setInterval(tick, 1000);
if (desk.able) setInterval(renew, Number(opened.renew) * 1000);
