// Keeps the list honest: it is live, or it says since when it may be stale. Events tell of changes; while they are cut off
// the list is asked for every ten seconds.
import { follow } from "./feed.js";

const SILENCE = 35_000; // the stream says something every 15 s
const ASK_EVERY = 10_000;
const FRESHEN_EVERY = 60_000; // the sentences of the rows hold times, too
const ANNOUNCE_EVERY = 10_000;
const SPREAD = 250;

const root = document.getElementById("worklist");
const live = document.getElementById("live");
const liveWords = document.getElementById("live-words");
const stale = document.getElementById("stale");
const announce = document.getElementById("announce");
const model = document.getElementById("model");
const time = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const put = (node, words) => { if (node && node.textContent !== words) node.textContent = words; };

// As triage/domain/worklist.py span() writes it.
function span(ms) {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  if (days) return hours ? `${days} d ${hours} h` : `${days} d`;
  if (hours) return rest ? `${hours} h ${String(rest).padStart(2, "0")} min` : `${hours} h`;
  return `${rest} min`;
}

export class Live {
  // request() gives [address, options] of the list as it is wanted now; take(div) shows an answer.
  // steady(act) does something to the page without moving the row that a reader is at.
  constructor(request, take, steady) {
    this.request = request;
    this.take = take;
    this.steady = steady;
    this.open = this.failing = false;
    this.contact = this.asked = Date.now();
    this.announced = 0;
    this.skew = 0; // the server's clock counts, not this workstation's
    this.asking = null;
    this.synchronise(root);
    this.again = follow((message) => this.hear(message));
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.tick(); });
    document.addEventListener("signed-in", () => { this.again(); this.ask(); });
    setInterval(() => this.tick(), 1000);
  }

  hear({ kind }) {
    if (kind === "lost") {
      if (this.open) this.ask(); // is it only the stream, or the server?
      this.open = false;
      return;
    }
    this.open = true;
    this.heard();
    if (kind === "changed") this.askSoon();
  }

  // After a change: not everybody in the same instant, and once for several changes in a row.
  askSoon() {
    this.soon ??= setTimeout(() => { this.soon = undefined; this.ask(); }, Math.random() * SPREAD);
  }

  // Asks for the list; a wish while one is under way is kept, so that the last answer is never older than the last event.
  async ask() {
    this.asked = Date.now();
    if (this.asking) { this.wanted = true; return; }
    this.wanted = false;
    this.asking = this.fetch();
    await this.asking;
    this.asking = null;
    if (this.wanted) this.ask();
  }

  async fetch() {
    const [address, options] = this.request();
    try {
      const answer = await fetch(address, { ...options, signal: AbortSignal.timeout(8000) });
      if (answer.ok) {
        const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (this.request()[0] === address && this.request()[1].body === options.body) {
          this.synchronise(parsed);
          this.take(parsed.body);
        }
        this.heard();
        return;
      }
      if (answer.status === 401) document.dispatchEvent(new CustomEvent("signed-out")); // session.js covers the page
    } catch { /* no answer: said below */ }
    this.failing = true;
    this.show();
  }

  heard() {
    this.contact = Date.now();
    this.failing = false;
    this.show();
  }

  get lost() { return this.failing || Date.now() - this.contact > SILENCE; }

  show() {
    const since = time(this.contact + this.skew);
    live.dataset.state = this.lost ? "stale" : "live";
    put(liveWords, this.lost ? `Disconnected – may be stale since ${since}` : `Live, ${since}`);
    if (this.lost) put(stale, `Disconnected – the list may be stale since ${since}. Trying to reconnect.`);
    if (stale.hidden !== !this.lost) this.steady(() => { stale.hidden = !this.lost; });
    document.body.classList.toggle("stale", this.lost);
  }

  tick() {
    const now = Date.now();
    for (const node of root.querySelectorAll("time.wait")) put(node, span(now + this.skew - Date.parse(node.dateTime)));
    const cutOff = !this.open || this.failing || now - this.contact > SILENCE;
    if (now - this.asked > (cutOff ? ASK_EVERY : FRESHEN_EVERY)) this.ask();
    if (now - this.announced > ANNOUNCE_EVERY) this.speak();
    this.show();
  }

  // Said at once, and not covered by the counts for a while.
  say(words) {
    announce.textContent = words;
    this.announced = Date.now();
  }

  speak() {
    const shown = [...root.querySelectorAll("#counts li:not(.zero)")];
    const counts = shown.map((item) => item.innerText.replace(/\s+/g, " ").trim());
    const words = [root.querySelector(".total")?.innerText ?? "", ...counts].join(", ");
    if (this.spoken === words) return;
    this.spoken = words;
    this.say(words);
  }

  synchronise(where) {
    const state = where.querySelector("#state");
    if (state) this.skew = Date.parse(state.dataset.now) - Date.now();
    const now = where.querySelector("#model-now")?.textContent;
    if (now) put(model, now);
  }
}
