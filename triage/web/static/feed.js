// What the service tells its open pages: {kind: "open" | "changed" | "alive" | "lost"}.

// Calls hear(message) for each; returns a function that asks for a new stream at once (after signing in again).
export function follow(hear) {
  if (!("SharedWorker" in window)) return alone(hear);
  const { port } = new SharedWorker("/static/feed-worker.js", { name: "feed" });
  port.addEventListener("message", ({ data }) => hear(data));
  port.start();
  addEventListener("pagehide", () => port.postMessage("leave"));
  return () => port.postMessage("again");
}

function alone(hear) {
  let source = null;
  const open = () => {
    source?.close();
    source = new EventSource("/events");
    source.addEventListener("open", () => hear({ kind: "open" }));
    source.addEventListener("worklist", (event) => hear({ kind: "changed", revision: event.data }));
    source.addEventListener("alive", () => hear({ kind: "alive" }));
    source.addEventListener("error", () => hear({ kind: "lost" }));
  };
  addEventListener("pagehide", () => source.close());
  open();
  return open;
}
