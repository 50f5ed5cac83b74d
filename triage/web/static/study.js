// The study page: which film stands in which pane, keys, priors side by side.
import { Closer } from "./closer.js";
import { desk, KEYS as READING, STEPS } from "./study_reading.js";
import { Film, Pane, Place } from "./viewer.js";

const SPEAK_AFTER = 600;
const AGAIN_AFTER = 1000;

const study = document.getElementById("study");
const keys = document.getElementById("keys");
const shortcuts = document.getElementById("shortcuts");
const spoken = document.getElementById("spoken");
const place = new Place();
const film = new Pane(document.getElementById("film"), place, changed);
const prior = new Pane(document.getElementById("prior"), place, changed);
const panes = [film, prior];
const closer = new Closer(panes, ask);
const thumbs = [...document.querySelectorAll(".thumb")];
const priors = [...document.querySelectorAll("[data-prior]")];
const known = new Map(); // study UID → promise of its images
let active = film;
let image = study.dataset.first;
let speaking = 0;

const part = (pane, name) => pane.figure.querySelector(name);
const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function ask(path) {
  for (let tries = 0; ; tries++) {
    const answer = await fetch(path);
    if (answer.status !== 503 || tries === 5) return answer;
    await pause(AGAIN_AFTER);
  }
}

function imagesOf(uid) {
  if (!known.has(uid)) {
    known.set(uid, ask(`/api/v1/studies/${uid}/images`).then((answer) => {
      if (!answer.ok) throw new Error("The images of this study cannot be had now.");
      return answer.json();
    }));
  }
  return known.get(uid);
}

async function open(pane, studyUid, choose, caption, doubtful = false) {
  const token = (pane.token = {}); // a later wish overtakes an earlier one
  part(pane, ".caption").textContent = caption;
  part(pane, ".caption").classList.toggle("doubtful", doubtful);
  let shown = null;
  let uid = "";
  let problem = "";
  try {
    const told = (await imagesOf(studyUid)).images;
    const chosen = choose(told);
    if (chosen?.preview) {
      uid = chosen.sop_instance_uid;
      const answer = await ask(`/api/v1/instances/${uid}/preview.raw`);
      if (!answer.ok) throw new Error((await answer.json()).detail);
      shown = new Film(chosen.preview, new Uint16Array(await answer.arrayBuffer()));
    } else problem = chosen?.problem ?? "There is no image in this study.";
  } catch (error) {
    problem = error instanceof TypeError ? "The preview could not be loaded; the service does not answer." : error.message;
    known.delete(studyUid);
  }
  if (token !== pane.token) return;
  const words = part(pane, ".problem");
  words.textContent = problem;
  words.hidden = !problem;
  pane.show(shown, uid);
}

function showImage(uid) {
  image = uid;
  for (const thumb of thumbs) thumb.setAttribute("aria-pressed", String(thumb.dataset.image === uid));
  const number = thumbs.findIndex((thumb) => thumb.dataset.image === uid) + 1;
  const caption = thumbs.length > 1 ? `This study, image ${number} of ${thumbs.length}` : "This study";
  return open(film, study.dataset.uid, (all) => all.find((one) => one.sop_instance_uid === uid), caption);
}

function step(by) {
  const at = thumbs.findIndex((thumb) => thumb.dataset.image === image) + by;
  if (thumbs[at]) showImage(thumbs[at].dataset.image);
}

function showPrior(button) {
  const on = Boolean(button);
  prior.figure.hidden = !on;
  document.querySelector(".panes").classList.toggle("two", on);
  document.querySelector('[data-key="p"]')?.setAttribute("aria-pressed", String(on));
  prior.button = button;
  for (const one of priors) one.setAttribute("aria-pressed", String(one === button));
  if (!on) { active = film; prior.token = {}; prior.show(null); return; }
  const first = (all) => all.find((one) => one.covered && one.preview) ?? all.find((one) => one.preview) ?? all[0];
  open(prior, button.dataset.prior, first, `Prior ${button.dataset.caption}`, "doubtful" in button.dataset);
}

function stepPrior(by) { // the list has the last first, so older is further down
  const next = prior.button ? priors[priors.indexOf(prior.button) + by] : priors.find(earlier) ?? priors[0];
  if (next) showPrior(next);
}
const earlier = (button) => "earlier" in button.dataset;

const percent = () => `${Math.round(place.zoom * 100)} %`;

function changed(pane, shared) {
  for (const one of shared ? panes : [pane]) {
    one.draw();
    part(one, ".readout").textContent = one.film ? `${one.film.words.short} · ${percent()}` : "";
  }
  if (pane.film) active = pane;
  const inverted = Boolean(active.film && active.film.inverted !== active.film.given.inverted);
  document.querySelector('[data-key="i"]').setAttribute("aria-pressed", String(inverted));
  clearTimeout(speaking);
  speaking = setTimeout(speak, SPEAK_AFTER);
}

function speak() {
  for (const pane of panes) {
    const caption = part(pane, ".caption").textContent;
    const words = pane.film
      ? `${caption}: ${pane.film.kind}, not for diagnostic use; ${pane.film.words.long}, zoom ${percent()}`
      : `${caption}: ${part(pane, ".problem").textContent || "no film"}`;
    pane.canvas.setAttribute("aria-label", words);
  }
  const words = active.canvas.getAttribute("aria-label");
  if (spoken.textContent !== words) spoken.textContent = words;
}

const turn = (act) => () => { if (active.film) { act(active.film); changed(active, false); } };

const KEYS = {
  ...READING,
  "+": () => active.zoom(1.25),
  "-": () => active.zoom(0.8),
  "=": () => { place.fit(); changed(active, true); },
  i: turn((shown) => { shown.inverted = !shown.inverted; }),
  w: turn((shown) => shown.auto()),
  f: () => closer.toggleFrames(),
  h: () => closer.toggleMap(active),
  0: () => { place.fit(); turn((shown) => shown.reset())(); changed(active, true); },
  ",": () => step(-1),
  ".": () => step(1),
  p: () => (prior.button ? showPrior(null) : stepPrior(1)),
  "[": () => stepPrior(1),
  "]": () => stepPrior(-1),
  o: () => document.getElementById("viewer-link")?.click(),
  u: () => { if (!document.getElementById("changed").hidden) location.reload(); },
  "?": () => keys.showModal(),
  Escape: () => document.getElementById("back").click(),
  ArrowUp: () => active.window(0.02, 0),
  ArrowDown: () => active.window(-0.02, 0),
  ArrowRight: () => active.window(0, 0.04),
  ArrowLeft: () => active.window(0, -0.04),
};
const SHIFTED = {
  ArrowUp: () => active.pan(0, -40),
  ArrowDown: () => active.pan(0, 40),
  ArrowLeft: () => active.pan(-40, 0),
  ArrowRight: () => active.pan(40, 0),
};

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || desk.busy || event.target.closest("input, select, textarea")) return;
  const onFilm = event.target.matches(".pane canvas");
  const arrow = event.key.startsWith("Arrow");
  // arrows belong to whatever else has the focus; single keys can be kept to the film (WCAG 2.1.4)
  if (!onFilm && ((arrow && event.target !== document.body) || (!shortcuts.checked && event.key !== "Escape"))) return;
  const act = (event.shiftKey && SHIFTED[event.key]) || KEYS[event.key];
  if (!act || (event.repeat && event.key in READING)) return;
  event.preventDefault();
  act();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-key], [data-step], [data-image], [data-prior]");
  if (!button) return;
  // of a double click only the first press was meant: the button in its place now may be the opposite step
  if (button.dataset.step) { if (event.detail <= 1) STEPS[button.dataset.step](); }
  else if (button.dataset.key) KEYS[button.dataset.key]();
  else if (button.dataset.image) showImage(button.dataset.image);
  else {
    showPrior(button);
    document.getElementById("viewer").scrollIntoView({ block: "end" });
  }
});

for (const pane of panes) pane.canvas.addEventListener("focus", () => { active = pane; changed(pane, false); });

async function fillThumbs() {
  const told = (await imagesOf(study.dataset.uid)).images;
  for (const thumb of thumbs) {
    const uid = thumb.dataset.image;
    const small = thumb.querySelector(".small");
    if (!told.find((one) => one.sop_instance_uid === uid)?.preview) small.textContent = "no preview";
    else small.replaceChildren(Object.assign(new Image(64, 54), { alt: "", src: `/api/v1/instances/${uid}/preview.png` }));
  }
}

shortcuts.checked = localStorage.getItem("shortcuts") !== "film";
shortcuts.addEventListener("change", () => localStorage.setItem("shortcuts", shortcuts.checked ? "page" : "film"));

if (image) showImage(image);
else open(film, study.dataset.uid, () => null, "This study");
if (location.hash === "#prior") stepPrior(1);
fillThumbs().catch(() => {}); // the pane says what is wrong
if (!shortcuts.checked) film.canvas.focus({ preventScroll: true });
