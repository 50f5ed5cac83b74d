// What the service tells its open pages: {kind: "open" | "changed" | "alive" | "lost"}.
import { Stream } from "./stream.js";

// Calls hear(message) for each; returns a function that asks for a new stream at once (after signing in again).
export function follow(hear) {
  if (!("SharedWorker" in window)) {
    const stream = new Stream(hear);
    stream.open();
    addEventListener("pagehide", () => stream.close());
    return () => stream.open();
  }
  const { port } = new SharedWorker("/static/feed-worker.js", { name: "feed", type: "module" });
  port.addEventListener("message", ({ data }) => hear(data));
  port.start();
  addEventListener("pagehide", () => port.postMessage("leave"));
  return () => port.postMessage("again");
}
