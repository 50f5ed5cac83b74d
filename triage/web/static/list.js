// The rows. What is shown of a study is kept up to date where it stands; rows move only when nobody's pointer or focus is on
// them, or when the reader says so (u). Until then a bar tells what waits.

const root = document.getElementById("worklist");
const bar = document.getElementById("bar");
const GUARD = 300; // after rows have moved by themselves a press this soon was meant for another row
const PARTS = ["notices", "state", "view", "caption", "heads"];
const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;
const isFree = (row) => !row.matches(".gone") && (row.dataset.state === "unread" || row.dataset.mine === "true");
const top = (row) => row.getBoundingClientRect().top;

// The list is made once for everybody; what is mine in it is marked here.
function mark(where) {
  const me = root.dataset.me;
  for (const row of where.querySelectorAll("#rows tr.claimed")) {
    const mine = row.dataset.reader === me;
    row.dataset.mine = String(mine);
    row.classList.toggle("mine", mine);
    const words = row.querySelector(".status").firstChild;
    if (mine) words.textContent = words.textContent.replace(`Reading – ${me}`, "Reading – you");
  }
}

export class List {
  constructor({ say }) {
    this.say = say;
    mark(document);
    this.pending = null;
    this.current = null; // id of the row that Tab reaches
    this.place = 0;
    this.movedAt = -GUARD;
    this.settle(false);
    bar.addEventListener("click", () => this.apply());
    root.addEventListener("focusin", (event) => {
      const row = event.target.closest("#rows tr");
      if (row) this.reach(row);
    });
    root.addEventListener("click", (event) => {
      // a key's press has no detail: it is meant for the row that has the focus, which has not changed
      if (!event.detail || performance.now() - this.movedAt > GUARD || !event.target.closest("#rows")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }, true);
    for (const kind of ["pointerout", "focusout"]) root.addEventListener(kind, () => setTimeout(() => this.flush(), 50));
    this.urgent = this.stats(this.rows);
    addEventListener("blur", () => this.flush());
    document.addEventListener("close", () => setTimeout(() => this.flush(), 50), true); // of a dialog
  }

  get body() { return root.querySelector("#rows"); }
  get rows() { return [...root.querySelectorAll("#rows tr")]; }
  get focused() { return document.activeElement?.closest?.("#rows tr") ?? null; }
  row(uid) { return document.getElementById(`study-${uid}`); }

  stats(rows) { return new Set(rows.filter((row) => row.dataset.stat === "true").map((row) => row.id)); }

  // Whether something rests on the rows: a dialog about one of them, the pointer, or the keyboard of somebody who is here.
  get held() {
    return Boolean(document.querySelector("dialog[open]") || this.body?.matches(":hover") || (document.hasFocus() && this.focused));
  }

  // Does something to the page; the row under the pointer or the focus, or what a reader who has scrolled looks at, stays
  // where it is on the screen. Where it cannot, presses are dropped for a moment.
  steady(act) {
    const first = () => (window.scrollY > 0 ? this.rows.find((one) => top(one) >= 0) : null);
    const row = this.body?.querySelector("tr:hover") ?? this.focused ?? first();
    const before = row ? top(row) : 0;
    act();
    if (!row?.isConnected) return;
    window.scrollBy(0, top(row) - before);
    if (Math.abs(top(row) - before) > 1) this.movedAt = performance.now();
  }

  // The list as the service has it now: an inert element with the same parts as on the page. force: the reader asked for it.
  take(next, { force = false } = {}) {
    mark(next);
    const rows = [...next.querySelectorAll("#rows tr")];
    if (force) this.urgent = this.stats(rows); // another view: what is STAT in it is no news
    else this.announce(rows);
    this.steady(() => {
      for (const id of PARTS) this.part(next, id);
      if (!this.body || !rows.length) return this.replace(next);
      if (!force && this.held && this.waits(rows, next)) return undefined;
      this.pending = null;
      this.arrange(rows, next, force);
      return this.tell();
    });
    if (force) this.movedAt = -GUARD;
  }

  // Each study that has become STAT is said once, at once, wherever it stands.
  announce(rows) {
    const now = this.stats(rows);
    const fresh = rows.filter((row) => now.has(row.id) && !this.urgent.has(row.id));
    for (const id of now) this.urgent.add(id);
    for (const id of this.urgent) if (!now.has(id)) this.urgent.delete(id);
    if (!fresh.length) return;
    const others = fresh.length > 1 ? ` and ${fresh.length - 1} more` : "";
    this.say(`STAT: ${fresh[0].dataset.name}${others}`);
    this.news = new Set([...(this.news ?? []), ...fresh.map((row) => row.id)]);
  }

  apply() { // the reader asked for it
    if (!this.pending) return;
    const { next } = this.pending;
    this.pending = null;
    this.take(next, { force: true });
    if (this.focused) this.focused.scrollIntoView({ block: "nearest" });
    else this.rows[0]?.scrollIntoView({ block: "nearest" });
  }

  flush() { if (this.pending && !this.held) this.take(this.pending.next); }

  // Updates what stands, and tells whether anything else has to wait. What comes behind the last row moves nothing.
  waits(rows, next) {
    const shown = new Map(this.rows.map((row) => [row.id, row]));
    const there = new Set(rows.map((row) => row.id));
    const tail = rows.findLastIndex((row) => shown.has(row.id)) + 1;
    for (const row of rows.slice(tail)) this.body.append(document.importNode(row, true));
    for (const row of rows) if (shown.has(row.id)) this.morph(shown.get(row.id), row);
    for (const [id, row] of shown) row.classList.toggle("gone", !there.has(id));
    this.foot(next);
    const fresh = rows.slice(0, tail).filter((row) => !shown.has(row.id));
    const gone = [...shown.keys()].filter((id) => !there.has(id)).length;
    const before = [...shown.keys()].filter((id) => there.has(id));
    const after = rows.filter((row) => shown.has(row.id)).map((row) => row.id);
    const moved = before.some((id, place) => id !== after[place]);
    if (!fresh.length && !gone && !moved) return false;
    this.pending = { next, fresh, gone, moved };
    this.tell();
    return true;
  }

  tell() {
    const waiting = this.pending;
    bar.hidden = !waiting;
    if (!waiting) { this.news = null; return; }
    const urgent = [...(this.news ?? [])].filter((id) => this.urgent.has(id)).length;
    const words = [];
    if (urgent) words.push(`${urgent} STAT`);
    if (waiting.fresh.length) words.push(count(waiting.fresh.length, "new study", "new studies"));
    if (waiting.gone) words.push(`${waiting.gone} no longer here`);
    if (waiting.moved) words.push("places changed");
    const text = `${words.join(", ")} – press `;
    if (bar.firstChild?.textContent === text) return;
    bar.replaceChildren(text, Object.assign(document.createElement("kbd"), { textContent: "u" }));
    bar.classList.toggle("urgent", urgent > 0);
  }

  // Puts the rows in the order of the service. The focus stays on its study: a row that has it and is to go remains, marked,
  // until the reader asks (a key pressed on coming back to the window must not hit another study).
  arrange(rows, next, force) {
    const focus = document.activeElement?.id;
    const within = root.contains(document.activeElement);
    const kept = force ? null : this.focused;
    const shown = new Map(this.rows.map((row) => [row.id, row]));
    let cursor = this.body.firstElementChild;
    let moved = false;
    for (const one of rows) {
      const row = shown.get(one.id) ?? document.importNode(one, true);
      if (shown.has(one.id)) this.morph(row, one);
      row.classList.remove("gone");
      if (row === cursor) { cursor = cursor.nextElementSibling; continue; }
      this.body.insertBefore(row, cursor);
      moved = true;
    }
    while (cursor) {
      const after = cursor.nextElementSibling;
      if (cursor === kept) cursor.classList.add("gone");
      else cursor.remove();
      cursor = after;
      moved = true;
    }
    this.foot(next);
    if (moved) this.movedAt = performance.now();
    if (within && !root.contains(document.activeElement)) document.getElementById(focus)?.focus({ preventScroll: true });
    this.settle(within && force);
  }

  morph(row, next) {
    for (const { name, value } of next.attributes) {
      if (name !== "tabindex" && row.getAttribute(name) !== value) row.setAttribute(name, value);
    }
    next.querySelectorAll(":scope > *").forEach((cell, place) => {
      const mine = row.children[place];
      if (mine.innerHTML === cell.innerHTML) return;
      const focus = mine.contains(document.activeElement) ? document.activeElement : null;
      mine.replaceChildren(...document.importNode(cell, true).childNodes);
      if (focus) (document.getElementById(focus.id) ?? mine.querySelector("button, a") ?? row).focus({ preventScroll: true });
    });
    if (row.id === this.current) this.reach(row);
  }

  part(next, id) {
    const [mine, other] = [document.getElementById(id), next.querySelector(`#${id}`)];
    if (!mine || !other || mine.outerHTML === other.outerHTML) return;
    const focus = mine.contains(document.activeElement) ? document.activeElement.id : "";
    mine.replaceWith(document.importNode(other, true));
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  }

  foot(next) {
    const [mine, other] = [root.querySelector(".pages"), next.querySelector(".pages")];
    mine?.remove();
    if (other) root.querySelector("table").after(document.importNode(other, true));
  }

  replace(next) { // from a list to an empty one, or back
    const within = root.contains(document.activeElement);
    this.pending = null;
    root.replaceChildren(...document.importNode(next, true).childNodes);
    this.tell();
    this.settle(false);
    if (within) document.getElementById("content").focus({ preventScroll: true });
  }

  // A row that its reader has just finished goes at once; the next one takes its place under the focus.
  drop(uid) {
    const row = this.row(uid);
    if (!row) return;
    const within = row.contains(document.activeElement) || document.activeElement === document.body;
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    if (next) this.reach(next);
    if (within) next?.focus({ preventScroll: true });
  }

  reach(row) {
    for (const node of root.querySelectorAll('#rows [tabindex="0"]')) node.tabIndex = -1;
    for (const node of [row, ...row.querySelectorAll("button, a")]) node.tabIndex = 0;
    this.current = row.id;
    this.place = this.rows.indexOf(row);
  }

  settle(within) {
    const all = this.rows;
    if (!all.length) return;
    const row = all.find((one) => one.id === this.current) ?? all[Math.min(this.place, all.length - 1)];
    this.reach(row);
    if ((within || this.awaited) && !root.contains(document.activeElement)) row.focus({ preventScroll: true });
    this.awaited = false;
  }

  // Back to the row that had the focus last; once there are rows again, when there are none now.
  back() {
    document.activeElement?.blur();
    const row = this.rows.find((one) => one.id === this.current);
    this.awaited = !row;
    row?.focus();
  }

  // Moves the focus by so many rows; to the first one when it was nowhere.
  step(by) {
    const all = this.rows;
    const at = all.indexOf(this.focused);
    all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
  }

  // To the next row that is to be read: nobody reads it, or its reader is me. From the top again after the last.
  nextFree() {
    const all = this.rows;
    const at = all.indexOf(this.focused);
    const free = [...all.slice(at + 1), ...all.slice(0, at + 1)].find((row) => isFree(row));
    if (free) free.focus();
    else this.say("No study here is free.");
  }
}
