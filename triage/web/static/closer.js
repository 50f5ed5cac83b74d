// A closer look at the films of the study page: at full resolution, and with its heat map. Each is there only where its button
// is; settings and role decide that.
import { overlay, words } from "./heat_map.js";
import { Film } from "./viewer.js";

const part = (pane, name) => pane.figure.querySelector(name);
const press = (key, on) => document.querySelector(`.tools [data-key="${key}"]`)?.setAttribute("aria-pressed", String(on));

async function answered(asked) {
  const answer = await asked;
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer;
}

const why = (error) => (error instanceof TypeError ? "The service does not answer." : error.message);

export class Closer {
  #panes;
  #ask;
  #whole = false;
  #previews = new Map(); // pane → what is shown without the frame

  // ask: fetches a path, patiently
  constructor(panes, ask) {
    this.#panes = panes;
    this.#ask = ask;
    for (const pane of panes) pane.shown = () => this.#another(pane);
  }

  // for all panes at once, and for what is shown next: one film is compared with another at the same resolution
  toggleFrames() {
    if (!document.querySelector('.tools [data-key="f"]')) return;
    this.#whole = !this.#whole;
    press("f", this.#whole);
    for (const pane of this.#panes) this.#whole ? this.#sharpen(pane) : this.#soften(pane);
  }

  // for the film touched last alone, and gone with it: each is asked for on purpose
  async toggleMap(pane) {
    const block = part(pane, ".heat");
    if (!block || !pane.uid) return;
    if (!block.hidden) { this.#cool(pane); return; }
    const { uid } = pane;
    const token = (block.token = {});
    block.hidden = false;
    press("h", true);
    this.#say(block, "Covering the film square by square.");
    try {
      const map = await (await answered(this.#ask(`/api/v1/instances/${uid}/heat_map`))).json();
      if (block.token !== token) return;
      const { short, long, levels } = words(map);
      this.#say(block, short, long, levels);
      pane.overlay = overlay(map);
      pane.draw();
    } catch (error) {
      if (block.token === token) this.#say(block, why(error));
    }
  }

  #say(block, short, long = "", levels = null) {
    block.querySelector(".told").textContent = short;
    block.querySelector(".unseen").textContent = long;
    const legend = block.querySelector(".legend");
    legend.hidden = !levels;
    legend.querySelectorAll(".factor").forEach((one, place) => { one.textContent = levels?.[place] ?? ""; });
  }

  #cool(pane) {
    const block = part(pane, ".heat");
    if (!block) return;
    block.token = null;
    block.hidden = true;
    pane.overlay = null;
    pane.draw();
    press("h", this.#panes.some((one) => !part(one, ".heat").hidden));
  }

  #another(pane) {
    this.#previews.set(pane, pane.film);
    part(pane, ".detail").textContent = "";
    this.#cool(pane);
    if (this.#whole) this.#sharpen(pane);
  }

  async #sharpen(pane) {
    const preview = this.#previews.get(pane);
    if (!preview) return;
    const still = () => this.#whole && this.#previews.get(pane) === preview;
    const detail = part(pane, ".detail");
    detail.textContent = "loading full resolution";
    try {
      const answer = await answered(this.#ask(`/api/v1/instances/${pane.uid}/frame.raw`));
      const values = new Uint16Array(await answer.arrayBuffer());
      if (!still()) return;
      const frame = new Film(JSON.parse(answer.headers.get("Film-Facts")), values, "full resolution");
      frame.like(pane.film);
      detail.textContent = `full resolution, ${frame.width} × ${frame.height}`;
      pane.put(frame);
    } catch (error) {
      if (still()) detail.textContent = `no full resolution: ${why(error)}`;
    }
  }

  #soften(pane) {
    const preview = this.#previews.get(pane);
    part(pane, ".detail").textContent = "";
    if (!preview || pane.film === preview) return;
    preview.like(pane.film);
    pane.put(preview);
  }
}
