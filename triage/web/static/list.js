// The rows. What is shown of a study is kept up to date where it stands; rows move only when nobody's pointer or focus is on
// them, or when the reader says so (u). Until then a bar tells what waits.

const root = document.getElementById("worklist");
const bar = document.getElementById("bar");
const GUARD = 300; // after rows have moved by themselves a press this soon was meant for another row
const PARTS = ["notices", "state", "view", "caption", "heads"];
const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;
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
    addEventListener("blur", () => this.flush());
    document.addEventListener("close", () => setTimeout(() => this.flush(), 50), true); // of a dialog
  }

  get body() { return root.querySelector("#rows"); }
  get rows() { return [...root.querySelectorAll("#rows tr")]; }
  get focused() { return document.activeElement?.closest?.("#rows tr") ?? null; }
  row(uid) { return document.getElementById(`study-${uid}`); }

  // Whether something rests on the rows: a dialog about one of them, the pointer, or the keyboard of somebody who is here.
  get held() {
    return Boolean(document.querySelector("dialog[open]") || this.body?.matches(":hover") || (document.hasFocus() && this.focused));
  }

  // The list as the service has it now: an inert element with the same parts as on the page.
  take(next, { force = false } = {}) {
    mark(next);
    for (const id of PARTS) this.part(next, id);
    const rows = [...next.querySelectorAll("#rows tr")];
    if (!this.body || !rows.length) return this.replace(next);
    if (!force && this.held && this.waits(rows, next)) return undefined;
    this.pending = null;
    this.arrange(rows, next);
    this.tell();
    return undefined;
  }

  apply() { // the reader asked for it
    if (!this.pending) return;
    const { next } = this.pending;
    this.pending = null;
    this.take(next, { force: true });
    this.movedAt = -GUARD;
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
    if (!waiting) return;
    const urgent = waiting.fresh.filter((row) => row.dataset.stat === "true");
    const words = [];
    if (urgent.length) words.push(`${urgent.length} STAT`);
    if (waiting.fresh.length) words.push(count(waiting.fresh.length, "new study", "new studies"));
    if (waiting.gone) words.push(`${waiting.gone} no longer here`);
    if (waiting.moved) words.push("places changed");
    const text = `${words.join(", ")} – press `;
    if (bar.firstChild?.textContent === text) return;
    bar.replaceChildren(text, Object.assign(document.createElement("kbd"), { textContent: "u" }));
    bar.classList.toggle("urgent", urgent.length > 0);
    if (urgent.length && this.urgent !== urgent[0].id) this.say(`STAT: ${urgent[0].dataset.name}; press u to show`);
    this.urgent = urgent[0]?.id;
  }

  // Puts the rows in the order of the service; the focus, and the row that a reader who has scrolled looks at, stay.
  arrange(rows, next) {
    const focus = document.activeElement?.id;
    const within = root.contains(document.activeElement);
    const anchor = window.scrollY > 0 ? this.focused ?? this.rows.find((one) => top(one) >= 0) : null;
    const before = anchor && top(anchor);
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
      cursor.remove();
      cursor = after;
      moved = true;
    }
    this.foot(next);
    if (moved) this.movedAt = performance.now();
    if (anchor?.isConnected) window.scrollBy(0, top(anchor) - before);
    if (within && !root.contains(document.activeElement)) document.getElementById(focus)?.focus({ preventScroll: true });
    this.settle(within);
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
    this.settle(within);
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
    const to = at < 0 ? (by < 0 && by === -Infinity ? 0 : at + 1) : Math.min(all.length - 1, Math.max(0, at + by));
    all[to]?.focus();
  }

  // To the next row that nobody reads, from the top again after the last.
  nextFree() {
    const all = this.rows;
    const at = all.indexOf(this.focused);
    const free = [...all.slice(at + 1), ...all.slice(0, at + 1)].find((row) => row.dataset.state === "unread" && !row.matches(".gone"));
    if (free) free.focus();
    else this.say("No study here is free.");
  }
}
