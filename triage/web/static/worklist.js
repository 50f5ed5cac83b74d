// The worklist under the fingers: search and filters, keys, what a press on a row does.
import { List } from "./list.js";
import { Live } from "./live.js";
import { ReadingDesk } from "./reading.js";

const SEARCH_AFTER = 250;
const root = document.getElementById("worklist");
const search = document.getElementById("search");
const filters = document.getElementById("filters");
const keys = document.getElementById("keys");
const why = document.getElementById("why");
const shortcuts = document.getElementById("shortcuts");

// The list that is wanted now. What is searched for may name a patient: it goes into a body, never into an address.
function request() {
  const query = root.dataset.query ? `?${root.dataset.query}` : "";
  const words = search.value.trim();
  if (!words) return [`/fragments/worklist${query}`, {}];
  const headers = {
    "content-type": "application/json",
    "x-csrf-token": document.querySelector('meta[name="csrf"]')?.content ?? "",
  };
  return [`/fragments/worklist${query}`, { method: "POST", headers, body: JSON.stringify({ q: words }) }];
}

const list = new List({ say: (words) => live.say(words) });
let asked = false; // the next answer was asked for by the reader: it is shown as it is
const live = new Live(
  request,
  (next) => {
    list.take(next, { force: asked });
    asked = false;
    root.removeAttribute("aria-busy");
  },
  (act) => list.steady(act),
);
const desk = new ReadingDesk({
  say: (words) => live.say(words),
  changed: (uid, body) => {
    if (body.reading.state === "read") list.drop(uid);
    live.ask();
  },
  keys: () => shortcuts.checked || Boolean(list.focused),
});

function show() {
  asked = true;
  list.pending = null; // it was of another view
  live.ask();
}

let typed = 0;
search.addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(show, SEARCH_AFTER);
});
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  if (search.value.trim()) show();
});
for (const select of filters.querySelectorAll("select")) {
  select.addEventListener("change", () => {
    const wanted = new URLSearchParams([...new FormData(filters)].filter(([, value]) => value && value !== "waiting"));
    go(`/${String(wanted) ? `?${wanted}` : ""}`);
  });
}

// Another view: the address changes, the page and what is typed into the search stay.
function go(address) {
  const url = new URL(address, location.href);
  history.pushState(null, "", url.pathname + url.search);
  arrive();
}

function arrive() {
  root.setAttribute("aria-busy", "true"); // greyed: what still stands there is not what the address says
  root.dataset.query = location.search.slice(1);
  const wanted = new URLSearchParams(location.search);
  document.getElementById("status").value = wanted.get("status") ?? "waiting";
  document.getElementById("within").value = wanted.get("within") ?? "";
  for (const input of filters.querySelectorAll('input[name="level"]')) input.remove();
  for (const level of wanted.getAll("level")) {
    filters.append(Object.assign(document.createElement("input"), { type: "hidden", name: "level", value: level }));
  }
  show();
}
addEventListener("popstate", arrive);

async function read(row) {
  if ((await desk.read(row)) && !list.focused) list.back();
}

const ACTS = {
  why(row) {
    document.getElementById("why-sentence").textContent = `${row.dataset.name}: ${row.dataset.why}.`;
    document.getElementById("why-arithmetic").textContent = row.dataset.arithmetic;
    why.showModal();
  },
  claim: (row) => desk.claim(row),
  release: (row) => desk.release(row),
  takeOver: (row) => desk.takeOver(row),
  read,
  unread: (row) => desk.unread(row),
};

root.addEventListener("click", async (event) => {
  const link = event.target.closest("#counts a, #view a, a.sort, .pages a, .empty a");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    if (link.closest("#view, .empty")) search.value = "";
    go(link.href);
    return;
  }
  const button = event.target.closest("button");
  const row = button?.closest("#rows tr");
  if (!row) return;
  if (button.dataset.act) {
    if (event.detail < 2) ACTS[button.dataset.act](row); // the second press of a double click would hit what came in its place
    return;
  }
  if (!button.matches(".copy")) return;
  await navigator.clipboard.writeText(button.textContent);
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
});
document.getElementById("help").addEventListener("click", () => keys.showModal());

const onRow = (act) => () => { if (list.focused) act(list.focused); else list.step(1); };
const READING = {
  c: onRow((row) => (row.dataset.state === "claimed" && row.dataset.mine !== "true" ? desk.takeOver(row) : desk.claim(row))),
  r: onRow((row) => desk.release(row)),
  t: onRow((row) => desk.takeOver(row)),
  m: onRow(read),
  s: onRow((row) => desk.stat(row)),
};
const KEYS = {
  j: () => list.step(1),
  k: () => list.step(-1),
  n: () => list.nextFree(),
  w: onRow(ACTS.why),
  p: onRow((row) => row.querySelector("a.priors")?.click()),
  o: onRow((row) => row.querySelector("a.pacs")?.click()),
  u: () => list.apply(),
  "/": () => { search.focus(); search.select(); },
  f: () => document.querySelector("#counts a").focus(),
  "?": () => keys.showModal(),
  ...(desk.able ? READING : {}),
};
const MOVES = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || desk.busy) return;
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "Escape") { escape(typing); return; }
  if (typing) {
    if (typing === search && (event.key === "ArrowDown" || event.key === "Enter")) { event.preventDefault(); list.rows[0]?.focus(); }
    return;
  }
  const row = event.target.closest("#rows tr");
  if (event.key === "Enter" && event.target === row) { row.querySelector("a.open").click(); return; }
  if (MOVES[event.key] && row && !event.shiftKey) { event.preventDefault(); list.step(MOVES[event.key]); return; }
  // single keys can be kept to the rows (WCAG 2.1.4)
  if (event.repeat && !"jk".includes(event.key)) return;
  if (!KEYS[event.key] || (!shortcuts.checked && !row)) return;
  event.preventDefault();
  KEYS[event.key]();
});

function escape(typing) {
  if (search.value) { search.value = ""; show(); }
  if (typing) list.back();
}

shortcuts.checked = localStorage.getItem("shortcuts") !== "film";
shortcuts.addEventListener("change", () => localStorage.setItem("shortcuts", shortcuts.checked ? "page" : "film"));
// back from a study: at the row one came from
if (location.hash.startsWith("#study-")) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.focus();
