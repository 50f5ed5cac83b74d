// A film on a canvas: 16-bit values through a window, zoomed and moved. Nothing here knows of the page around it.

const BLACK = 0xff000000;
const GREY = 0x010101; // times 0..255: one shade in red, green and blue, as a little-endian word
const NARROWEST = 1 / 2000; // of all values
const MOST_ZOOM = 24;
const WARNING = "NOT FOR DIAGNOSTIC USE";
const NO_FINDING = "HEAT MAP: NOT A FINDING";

// The place that panes share: how far beyond fitting, and which point of the film (as shares of it) is in the middle.
export class Place {
  zoom = 1;
  x = 0.5;
  y = 0.5;

  fit() { this.zoom = 1; this.x = this.y = 0.5; }

  move(dx, dy) {
    const room = (at) => Math.min(1, Math.max(0, at));
    this.x = room(this.x - dx);
    this.y = room(this.y - dy);
  }
}

// facts as /api/v1/studies/{uid}/images gives them; values: a Uint16Array, 0 where there is no picture; kind: a word for people.
export class Film {
  constructor(facts, values, kind = "preview") {
    const { width, height, slope, intercept } = facts;
    Object.assign(this, { width, height, slope, intercept, values, kind });
    const step = (value) => (value - facts.intercept) / facts.slope;
    this.given = { low: step(facts.window.low), high: step(facts.window.high), inverted: facts.inverted };
    this.percentiles = spread(values);
    this.reset();
  }

  reset() { Object.assign(this, this.given); }

  // the window of another film of the same image
  like(other) {
    const step = (value) => (other.intercept + other.slope * value - this.intercept) / this.slope;
    Object.assign(this, { low: step(other.low), high: step(other.high), inverted: other.inverted });
  }

  auto() { [this.low, this.high] = this.percentiles; }

  // by shares of what the film spans: brighter moves the window, wider opens it
  window(brighter, wider) {
    const [dark, bright] = this.percentiles;
    const span = Math.max(bright - dark, 65535 * NARROWEST);
    const width = Math.max(65535 * NARROWEST, this.high - this.low + wider * span);
    const centre = (this.low + this.high) / 2 - brighter * span * (this.inverted ? -1 : 1);
    const held = Math.min(131070, Math.max(-65535, centre));
    this.low = held - width / 2;
    this.high = held + width / 2;
  }

  // width and centre as a LINEAR window of the header would state them (PS3.3 C.11.2.1.2.1)
  get words() {
    const [low, high] = [this.low, this.high].map((step) => this.intercept + this.slope * step);
    const coarse = this.slope * 65535 >= 20;
    const [width, centre] = coarse ? [high - low + 1, (low + high + 1) / 2] : [high - low, (low + high) / 2];
    const said = (value) => (coarse ? String(Math.round(value)) : value.toPrecision(3));
    const turned = this.inverted !== this.given.inverted;
    return {
      long: `window ${said(width)}, centre ${said(centre)}${turned ? ", inverted" : ""}`,
      short: `W ${said(width)} C ${said(centre)}${turned ? " inverted" : ""}`,
    };
  }
}

// 1st and 99th percentile of what is picture
function spread(values) {
  const counts = new Uint32Array(65536);
  for (let i = 0; i < values.length; i++) counts[values[i]]++;
  const total = values.length - counts[0];
  const at = (share) => {
    let left = share * total;
    let value = 1;
    while (value < 65535 && (left -= counts[value]) > 0) value++;
    return value;
  };
  return [at(0.01), at(0.99)];
}

// the shade of each value, as a word of RGBA
function table({ low, high, inverted }) {
  const shades = new Uint32Array(65536);
  const scale = high > low ? 255 / (high - low) : Infinity;
  for (let value = 1; value < 65536; value++) {
    const grey = value <= low ? 0 : Math.min(255, Math.round((value - low) * scale));
    shades[value] = BLACK | ((inverted ? 255 - grey : grey) * GREY);
  }
  shades[0] = BLACK;
  return shades;
}

// One canvas: shows a film at a place, and turns drags, wheel and fingers into changes of them.
export class Pane {
  film = null;
  uid = ""; // of the image
  overlay = null; // draws over the film: (context, where the film lies, canvas pixels to one of the page)
  shown = () => {}; // told when another image is shown
  #sheet = document.createElement("canvas");
  #picture = null;
  #exposed = "";
  #asked = false;
  #pointers = new Map();

  constructor(figure, place, changed) {
    this.figure = figure;
    this.canvas = figure.querySelector("canvas");
    this.place = place;
    this.changed = changed; // told of each change: the pane itself, and whether it was of the shared place
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    const on = (name, act, options) => this.canvas.addEventListener(name, act, options);
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#moved(event));
    for (const name of ["pointerup", "pointercancel"]) on(name, (event) => this.#pointers.delete(event.pointerId));
    on("wheel", (event) => { event.preventDefault(); this.zoom(2 ** (-event.deltaY / 400), event); }, { passive: false });
    on("contextmenu", (event) => event.preventDefault());
  }

  show(film, uid = "") {
    this.uid = film ? uid : "";
    this.overlay = null;
    this.put(film);
    this.shown(this);
  }

  // the same image, finer or coarser
  put(film) {
    this.film = film;
    this.#exposed = "";
    this.#picture = null;
    if (film) {
      [this.#sheet.width, this.#sheet.height] = [film.width, film.height];
      this.#picture = this.#sheet.getContext("2d").createImageData(film.width, film.height);
    }
    this.changed(this, false);
  }

  // how many canvas pixels one of the film takes
  get scale() {
    return Math.min(this.canvas.width / this.film.width, this.canvas.height / this.film.height) * this.place.zoom;
  }

  // the point under the pointer stays where it is
  zoom(factor, at = null) {
    if (!this.film) return;
    const before = this.scale;
    this.place.zoom = Math.min(MOST_ZOOM, Math.max(1, this.place.zoom * factor));
    if (this.place.zoom === 1) this.place.fit();
    else if (at) {
      const ratio = devicePixelRatio || 1;
      const [dx, dy] = [at.offsetX * ratio - this.canvas.width / 2, at.offsetY * ratio - this.canvas.height / 2];
      const less = 1 / this.scale - 1 / before;
      this.place.move((dx * less) / this.film.width, (dy * less) / this.film.height);
    }
    this.changed(this, true);
  }

  pan(dx, dy) {
    if (!this.film || this.place.zoom === 1) return;
    const ratio = devicePixelRatio || 1;
    this.place.move((dx * ratio) / this.scale / this.film.width, (dy * ratio) / this.scale / this.film.height);
    this.changed(this, true);
  }

  window(brighter, wider) {
    if (!this.film) return;
    this.film.window(brighter, wider);
    this.changed(this, false);
  }

  draw() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      const begun = performance.now();
      this.#expose();
      this.#paint();
      this.canvas.dataset.redraw = (performance.now() - begun).toFixed(1);
    });
  }

  #expose() {
    if (!this.film) return;
    const { values, low, high, inverted } = this.film;
    const wanted = `${low} ${high} ${inverted}`;
    if (wanted === this.#exposed) return;
    const shades = table(this.film);
    const words = new Uint32Array(this.#picture.data.buffer);
    for (let i = 0; i < words.length; i++) words[i] = shades[values[i]];
    this.#sheet.getContext("2d").putImageData(this.#picture, 0, 0);
    this.#exposed = wanted;
  }

  #paint() {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight].map((side) => Math.round(side * ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    if (!this.film || !width || !height) return;
    const { place, scale, film } = this;
    context.imageSmoothingQuality = "high";
    const lies = [
      width / 2 - place.x * film.width * scale, height / 2 - place.y * film.height * scale,
      film.width * scale, film.height * scale,
    ];
    context.drawImage(this.#sheet, ...lies);
    this.overlay?.(context, lies, ratio);
    context.font = `600 ${Math.round(12 * ratio)}px system-ui, "DejaVu Sans", sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "top";
    context.lineWidth = 3 * ratio;
    context.strokeStyle = "#000";
    context.fillStyle = "#ffb454";
    (this.overlay ? [WARNING, NO_FINDING] : [WARNING]).forEach((words, line) => {
      context.strokeText(words, width / 2, (8 + 18 * line) * ratio);
      context.fillText(words, width / 2, (8 + 18 * line) * ratio);
    });
  }

  #down(event) {
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  }

  #moved(event) {
    const last = this.#pointers.get(event.pointerId);
    if (!last || !this.film) return;
    const [dx, dy] = [event.offsetX - last.x, event.offsetY - last.y];
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    if (other) {
      const apart = (point) => Math.max(8, Math.hypot(point.x - other.x, point.y - other.y));
      const middle = { offsetX: (event.offsetX + other.x) / 2, offsetY: (event.offsetY + other.y) / 2 };
      this.zoom(apart({ x: event.offsetX, y: event.offsetY }) / apart(last), middle);
      this.pan(dx / 2, dy / 2);
    } else if (event.shiftKey || event.buttons === 4) this.pan(dx, dy);
    else this.window(-dy / 400, dx / 400);
  }
}
