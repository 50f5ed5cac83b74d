// One event stream a browser, whatever number of its pages is open: HTTP/1.1 allows six connections to a host, and a list
// that waits for a seventh would stand still without a word.
import { Stream } from "./stream.js";

const ports = new Set();
let last = null; // what a page that joins later has to know

const stream = new Stream((message) => {
  if (message.kind !== "alive") last = message;
  for (const port of ports) port.postMessage(message);
});

addEventListener("connect", (event) => {
  const [port] = event.ports;
  ports.add(port);
  port.addEventListener("message", ({ data }) => {
    if (data === "again") stream.open();
    if (data !== "leave") return;
    ports.delete(port);
    if (ports.size) return;
    stream.close();
    last = null;
  });
  port.start();
  if (!stream.isOpen) stream.open();
  else if (last) port.postMessage(last);
});
