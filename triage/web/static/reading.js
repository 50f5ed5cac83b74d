// The steps of reading, for every page that shows studies. A row is any element whose dataset tells of its study:
// uid, name, network (level), images (how many), assessed (when; empty: not), doubt (the mark's code; empty: none), words (the
// network's mark), stat, state, reader, mine; since, if it is known.
import { fill, isPress, isText, opened } from "./dialogs.js";
import { send } from "./send.js";
import { VerdictDialog } from "./verdict.js";

const SHOWN_FOR = 60_000;
const SAID_AFTER = 1_000; // ms: a step that takes longer is told of
const UNDO_KEY = "undo";
const MISTAKE = "marked by mistake";
const VERDICTS = { agree: "agree", disagree: "disagree", not_assessable: "not assessable" };

export class ReadingDesk {
  #say;
  #changed;
  #keys;
  #under = new Map(); // study UID → the step on its way
  #lost = new Set(); // UIDs of studies for which the answer to a verdict never came
  #repeats = false;
  #read = null; // what z would take back
  #told = document.getElementById("told"); // these are only there for roles that read
  #undo = document.getElementById("undo");
  #verdict = this.#told && new VerdictDialog();
  #timers = new Map();

  // say(words): announced politely. changed(uid, body): after a step. keys(): whether single keys work just now.
  constructor({ say, changed, keys = () => true }) {
    this.#say = say;
    this.#changed = changed;
    this.#keys = keys;
    if (!this.able) return;
    document.addEventListener("keydown", (event) => { this.#repeats = event.repeat; }, true);
    document.addEventListener("keyup", () => { this.#repeats = false; }, true);
    document.addEventListener("keydown", (event) => this.#press(event));
    this.#undo.querySelector("button").addEventListener("click", () => this.undo());
    for (const dialog of document.querySelectorAll("dialog.step:not(#verdict)")) {
      dialog.addEventListener("click", (event) => { if (event.target.closest("[data-leave]")) dialog.close(); });
    }
    const sure = document.getElementById("sure");
    sure.addEventListener("click", (event) => { if (event.target.closest("[data-yes]")) sure.close("yes"); });
    sure.addEventListener("keydown", (event) => { if (event.key === "y" && isPress(event)) sure.close("yes"); });
    this.#recall();
  }

  get able() { return Boolean(this.#told); }
  get busy() { return document.querySelector("dialog[open]") !== null; }

  claim(row) { return this.#once(row, "claim", (study) => this.#claim(study)); }
  release(row) { return this.#once(row, "release", (study) => this.#release(study)); }
  takeOver(row) { return this.#once(row, "takeOver", (study) => this.#takeOver(study)); }
  read(row) { return this.#once(row, "read", (study) => this.#finish(study)); }
  stat(row) { return this.#once(row, "stat", (study) => this.#stat(study)); }
  unread(row) { return this.#once(row, "unread", (study) => this.#unread(study)); }

  async undo() {
    const last = this.#read;
    return last ? this.#once({ dataset: last }, "undo", (study) => this.#takeBack(study, MISTAKE)) : false;
  }

  // Seen and announced, for a minute or until the next.
  tell(words, { alarm = false } = {}) {
    this.#say(words);
    if (!this.able) return;
    this.#told.classList.toggle("alarm", alarm);
    this.#show(this.#told, this.#told, words, SHOWN_FOR);
  }

  #show(part, place, words, time, over = () => {}) {
    place.textContent = words;
    part.hidden = false;
    clearTimeout(this.#timers.get(part));
    this.#timers.set(part, setTimeout(() => { part.hidden = true; over(); }, time));
  }

  // A second press of the same step sends nothing; another step waits until the one before has its answer.
  async #once(row, name, step) {
    const { uid } = row.dataset;
    const before = this.#under.get(uid);
    if (!this.able || this.#repeats || this.busy) return false;
    if (before?.name === name) {
      this.tell(`${row.dataset.name}: still sending; this press was not taken.`);
      return false;
    }
    const run = async () => {
      await before?.over;
      return this.busy ? false : step({ ...row.dataset });
    };
    const running = run();
    const mine = { name, over: running.catch(() => {}) };
    this.#under.set(uid, mine);
    try {
      return await running;
    } finally {
      if (this.#under.get(uid) === mine) this.#under.delete(uid);
    }
  }

  async #take(study, step, body) {
    const path = `/api/v1/studies/${study.uid}/${step}`;
    const slow = setTimeout(() => { if (!this.busy) this.tell(`${study.name}: sending…`); }, SAID_AFTER);
    let answer = await send(path, body);
    clearTimeout(slow);
    if (answer.status === 401) { // the sign-in stands over the page now; another person would load it anew
      await new Promise((back) => { document.addEventListener("signed-in", back, { once: true }); });
      answer = await send(path, body);
    }
    if (answer.ok) this.#changed(study.uid, answer.body);
    return answer;
  }

  async #claim(study) {
    const answer = await this.#take(study, "claim");
    if (isHeld(answer) && !this.busy) return this.#takeOver(heldNow(study, answer));
    return answer.ok ? this.#done(`${study.name}: claimed`) : this.#refused(study, answer);
  }

  async #release(study) {
    const answer = await this.#take(study, "release");
    return answer.ok ? this.#done(`${study.name}: released`) : this.#refused(study, answer);
  }

  async #takeOver(study) {
    const words = `${holding(study)} A takeover is recorded in the audit; the other reader's page says so.`;
    if (!(await this.#sure(`Take over ${study.name}?`, words, "Take over"))) return false;
    const answer = await this.#take(study, "takeover");
    return answer.ok ? this.#done(`${study.name}: taken over`) : this.#refused(study, answer);
  }

  async #stat(study) {
    const off = study.stat === "true";
    const words = `It goes back to the place that the network gives it: ${study.words}.`;
    if (off && !(await this.#sure(`Remove STAT from ${study.name}?`, words, "Remove STAT"))) return false;
    const answer = await this.#take(study, off ? "unstat" : "stat");
    return answer.ok ? this.#done(`${study.name}: ${off ? "no longer STAT" : "STAT"}`) : this.#refused(study, answer);
  }

  async #unread(study) {
    const dialog = document.getElementById("reason");
    const text = document.getElementById("reason-text");
    fill(dialog, study);
    text.value = "";
    const form = dialog.querySelector("form");
    form.onsubmit = () => { dialog.dataset.given = text.value.trim(); };
    dialog.dataset.given = "";
    await opened(dialog);
    return dialog.dataset.given ? this.#takeBack(study, dialog.dataset.given) : false;
  }

  async #takeBack(study, reason) {
    const answer = await this.#take(study, "unread", { reason });
    if (!answer.ok) return this.#refused(study, answer);
    if (this.#read?.uid === study.uid) this.#forget();
    this.tell(`${study.name}: unread again`);
    return true;
  }

  async #finish(study) {
    if (study.state === "claimed" && study.mine !== "true" && !(await this.#takeOver(study))) return false;
    for (;;) {
      let verdict = null;
      const answer = await this.#verdict.ask(study, async (given, note) => {
        verdict = given;
        const told = await this.#take(study, "read", { verdict, note: note || null, ...seen(study) });
        if (told.ok) this.#lost.delete(study.uid);
        if (told.status === 0) this.#lost.add(study.uid);
        return told.ok || told.status === 409 ? told : inWords(told);
      });
      if (!answer) return false;
      if (typeof answer === "string") return this.#wrong(study, answer);
      if (answer.ok) return this.#offerUndo(study, verdict);
      if (this.#lost.delete(study.uid) && isReadByMe(answer)) return this.#wentThrough(study, answer.body);
      if (!isHeld(answer) || this.busy) return this.#refused(study, answer);
      if (!(await this.#takeOver(heldNow(study, answer)))) return false;
    }
  }

  // The verdict whose answer was lost is there; it may be another than the one pressed now.
  #wentThrough(study, { holder, since, verdict }) {
    this.#changed(study.uid, { reading: { state: "read", reader: holder, since, verdict } });
    return this.#offerUndo(study, verdict);
  }

  #offerUndo(study, verdict) {
    const words = `read, ${VERDICTS[verdict] ?? "without a verdict"}`;
    // for the page that the reader goes on to; nothing of the patient is written down
    const kept = { uid: study.uid, words, by: person(), until: Date.now() + SHOWN_FOR };
    sessionStorage.setItem(UNDO_KEY, JSON.stringify(kept));
    this.#offer(study.uid, study.name, kept);
    return this.#done(`${study.name}: ${words}`);
  }

  #recall() {
    const kept = JSON.parse(sessionStorage.getItem(UNDO_KEY) ?? "null");
    if (!kept || kept.by !== person() || kept.until < Date.now()) return;
    this.#offer(kept.uid, "The study before", kept);
  }

  #offer(uid, name, { words, until }) {
    this.#read = { uid, name };
    const left = until - Date.now();
    this.#show(this.#undo, this.#undo.querySelector("p"), `${name}: ${words}`, left, () => this.#forget());
  }

  #forget() {
    this.#read = null;
    this.#undo.hidden = true;
    sessionStorage.removeItem(UNDO_KEY);
  }

  #press(event) {
    if (event.key !== "z" || !this.#read || !isPress(event) || isText(event.target) || this.busy || !this.#keys()) return;
    event.preventDefault();
    this.undo();
  }

  #done(words) {
    this.#say(words);
    this.#told.hidden = true; // what went wrong before is over
    return true;
  }

  #refused(study, answer) {
    return this.#wrong(study, inWords(answer));
  }

  #wrong(study, words) {
    this.tell(`${study.name}: ${words}`, { alarm: true });
    return false;
  }

  async #sure(heading, words, yes) {
    const dialog = document.getElementById("sure");
    document.getElementById("sure-heading").textContent = heading;
    document.getElementById("sure-words").textContent = words;
    dialog.querySelector("[data-yes] span").textContent = yes;
    return (await opened(dialog)) === "yes";
  }
}

const person = () => document.getElementById("session")?.dataset.name ?? "";
const isHeld = (answer) => answer.status === 409 && answer.body.refusal === "held";
const isReadByMe = ({ status, body }) => status === 409 && body.refusal === "read_already" && body.holder === person();
const heldNow = (study, { body }) => ({ ...study, reader: body.holder, since: body.since });

// What the reader had in view: the verdict is about that, and about nothing that came while the question stood open.
function seen({ network, images, assessed, doubt }) {
  const when = assessed && { assessed_at: assessed };
  return { network_level: network, ...(images && { images: Number(images) }), ...when, ...(doubt !== undefined && { doubt }) };
}

function holding(study) {
  return study.since ? `${study.reader} has been reading it since ${clock(study.since)}.` : `${study.reader} is reading it.`;
}

// Local time of day, with the date when it is not today's.
function clock(iso) {
  const at = new Date(iso);
  const day = at.toDateString() === new Date().toDateString() ? {} : { day: "2-digit", month: "short" };
  return at.toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function inWords({ status, body }) {
  if (body.refusal === "held") return holding({ reader: body.holder, since: body.since });
  if (body.refusal === "read_already") return `${body.holder} read it already, at ${clock(body.since)}.`;
  if (status === 403 && body.detail === "no permission") return "Your role does not include this step.";
  if (Array.isArray(body.detail)) return `This cannot be used: ${body.detail.map((one) => one.msg).join("; ")}.`;
  const words = String(body.detail ?? `The step did not go through (${status}).`);
  return words.replace(/^./, (first) => first.toUpperCase()).replace(/[^.]$/, "$&.");
}
