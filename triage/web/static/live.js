"use strict";
// Keeps the list honest: it is live, or it says since when it may be stale. Server-sent events tell of changes; while
// they are cut off the list is asked for every ten seconds.
(() => {
  const SILENCE = 35_000; // the stream says something every 15 s
  const ASK_EVERY = 10_000;
  const FRESHEN_EVERY = 60_000; // the sentences of the rows hold times, too
  const ANNOUNCE_EVERY = 10_000;

  const list = document.getElementById("worklist");
  const live = document.getElementById("live");
  const liveWords = document.getElementById("live-words");
  const stale = document.getElementById("stale");
  const announce = document.getElementById("announce");

  let open = false;
  let failing = false;
  let signedOut = false; // the page stays; signing in brings it back to life
  let contact = Date.now();
  let asked = Date.now();
  let announced = 0;
  let skew = 0; // the server's clock counts, not this workstation's

  const time = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const say = (node, words) => { if (node.textContent !== words) node.textContent = words; };

  function heard() {
    contact = Date.now();
    failing = false;
    show();
  }

  function ask() {
    asked = Date.now();
    htmx.trigger(list, "refresh");
  }

  function show() {
    const lost = failing || Date.now() - contact > SILENCE;
    live.dataset.state = lost ? "stale" : "live";
    const since = time(contact + skew);
    say(liveWords, lost ? `Disconnected – may be stale since ${since}` : `Live, ${since}`);
    if (lost && !signedOut) say(stale, `Disconnected – the list may be stale since ${since}. Trying to reconnect.`);
    if (signedOut) sayHowToSignIn();
    stale.hidden = !lost && !signedOut;
    document.body.classList.toggle("stale", lost);
  }

  function sayHowToSignIn() {
    if (stale.querySelector("a")) return;
    const link = document.createElement("a");
    link.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = "Sign in";
    stale.replaceChildren("You were signed out; the list is no longer kept up to date. ", link);
  }

  // As triage/domain/worklist.py span() writes it.
  function span(ms) {
    const minutes = Math.max(0, Math.floor(ms / 60_000));
    const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
    if (days) return hours ? `${days} d ${hours} h` : `${days} d`;
    if (hours) return rest ? `${hours} h ${String(rest).padStart(2, "0")} min` : `${hours} h`;
    return `${rest} min`;
  }

  function tick() {
    const now = Date.now();
    for (const node of list.querySelectorAll("time.wait")) say(node, span(now + skew - Date.parse(node.dateTime)));
    const cutOff = !open || failing || now - contact > SILENCE;
    if (now - asked > (cutOff ? ASK_EVERY : FRESHEN_EVERY)) ask();
    if (now - announced > ANNOUNCE_EVERY) speak(now);
    show();
  }

  function speak(now) {
    const counts = [...list.querySelectorAll("#counts li:not(.zero)")].map((item) => item.innerText.replace(/\s+/g, " ").trim());
    const words = [list.querySelector(".total")?.innerText ?? "", ...counts].join(", ");
    if (announce.textContent !== words) {
      announce.textContent = words;
      announced = now;
    }
  }

  function synchronise() {
    const state = document.getElementById("state");
    if (state) skew = Date.parse(state.dataset.now) - Date.now();
  }

  document.body.addEventListener("htmx:sseOpen", (event) => {
    open = true;
    event.detail.source.addEventListener("alive", heard);
    heard();
  });
  document.body.addEventListener("htmx:sseError", () => {
    if (open) ask(); // is it only the stream, or the server?
    open = false;
  });
  list.addEventListener("htmx:afterRequest", (event) => {
    asked = Date.now();
    if (event.detail.successful) return heard();
    if (event.detail.xhr.status === 401) signedOut = true;
    failing = true;
    show();
  });
  list.addEventListener("htmx:afterSwap", synchronise);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });

  synchronise();
  setInterval(tick, 1000);
})();
