"use strict";
// One event stream a browser, whatever number of its pages is open: HTTP/1.1 allows six connections to a host, and a list
// that waits for a seventh would stand still without a word.
const AGAIN_AFTER = 5_000;
const ports = new Set();
let source = null;
let last = null; // what a page that joins later has to know

function tell(message) {
  last = message;
  for (const port of ports) port.postMessage(message);
}

function open() {
  source?.close();
  const mine = (source = new EventSource("/events"));
  mine.addEventListener("open", () => tell({ kind: "open" }));
  mine.addEventListener("worklist", (event) => tell({ kind: "changed", revision: event.data }));
  mine.addEventListener("alive", () => { for (const port of ports) port.postMessage({ kind: "alive" }); });
  mine.addEventListener("error", () => {
    tell({ kind: "lost" });
    // the browser gives up for good when the answer is a refusal (signed out): somebody may sign in again
    if (mine.readyState === EventSource.CLOSED) setTimeout(() => { if (source === mine && ports.size) open(); }, AGAIN_AFTER);
  });
}

addEventListener("connect", (event) => {
  const [port] = event.ports;
  ports.add(port);
  port.addEventListener("message", ({ data }) => {
    if (data === "again") open();
    if (data !== "leave") return;
    ports.delete(port);
    if (ports.size) return;
    source?.close();
    source = last = null;
  });
  port.start();
  if (!source || source.readyState === EventSource.CLOSED) open();
  else if (last) port.postMessage(last);
});
