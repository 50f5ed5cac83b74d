// The event stream of the service, kept open: it is opened anew when it is refused, and when it has fallen silent, which a
// connection through a proxy or after a sleep can do without ever being closed.
const SILENCE = 35_000; // the service says something every 15 s
const AGAIN_AFTER = 5_000;
const LOOK_EVERY = 2_500;

export class Stream {
  #hear;
  #source = null;
  #at = 0; // of the last word, or of the last try

  // hear({kind: "open" | "changed" | "alive" | "lost"})
  constructor(hear) {
    this.#hear = hear;
    setInterval(() => this.#look(), LOOK_EVERY);
  }

  get isOpen() { return this.#source?.readyState === EventSource.OPEN; }

  open() {
    this.close();
    const source = (this.#source = new EventSource("/events"));
    const told = (message) => {
      if (source !== this.#source) return;
      this.#at = Date.now();
      this.#hear(message);
    };
    this.#at = Date.now();
    source.addEventListener("open", () => told({ kind: "open" }));
    source.addEventListener("worklist", () => told({ kind: "changed" }));
    source.addEventListener("alive", () => told({ kind: "alive" }));
    source.addEventListener("error", () => told({ kind: "lost" }));
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }

  #look() {
    if (!this.#source) return;
    const quiet = Date.now() - this.#at;
    if (this.#source.readyState === EventSource.CLOSED ? quiet < AGAIN_AFTER : quiet < SILENCE) return;
    if (this.isOpen) this.#hear({ kind: "lost" });
    this.open();
  }
}
