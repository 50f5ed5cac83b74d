// The verdict, one key each. The dialog stays until the step went through, so that a note is never lost.
import { fill, isPress, isText, opened } from "./dialogs.js";

const CHOICES = { 1: "1", 2: "2", 3: "3", 0: "0", Enter: "0" };

export class VerdictDialog {
  #dialog = document.getElementById("verdict");
  #note = document.getElementById("verdict-note");
  #notes = new Map(); // study UID → what was typed when the dialog was left
  #give = null;

  constructor() {
    this.#dialog.addEventListener("keydown", (event) => this.#press(event));
    this.#dialog.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button && "leave" in button.dataset) this.#dialog.close();
      else if (button) this.#choose(button.dataset.choice);
    });
  }

  // `give(verdict, note)` sends the step and returns the answer, or words: what went wrong, to be tried again.
  // Resolves with the answer; null: left.
  async ask(study, give) {
    fill(this.#dialog, study);
    for (const part of this.#dialog.querySelectorAll("[data-network]")) part.hidden = part.dataset.network !== study.network;
    this.#note.value = this.#notes.get(study.uid) ?? "";
    let answer = null;
    let sending = null;
    this.#wrong("");
    const send = async (verdict) => {
      this.#wrong("");
      const told = await give(verdict, this.#note.value.trim());
      if (typeof told === "string") return this.#wrong(told);
      answer = told;
      if (this.#give === choose) this.#dialog.close(); // else it was left meanwhile, and may stand open for another study
    };
    const choose = (verdict) => { sending ??= send(verdict).finally(() => { sending = null; }); };
    this.#give = choose;
    await opened(this.#dialog);
    this.#notes.set(study.uid, this.#note.value);
    this.#give = null;
    await sending;
    if (answer?.ok) this.#notes.delete(study.uid);
    return answer;
  }

  #press(event) {
    if (!isPress(event) || isText(event.target)) return;
    if (event.key === "t") this.#note.focus();
    else if (event.key === "Enter" && event.target.matches("button")) return; // presses that button
    else if (event.key in CHOICES) this.#choose(CHOICES[event.key]);
    else return;
    event.preventDefault();
  }

  #choose(choice) {
    const button = [...this.#dialog.querySelectorAll("[data-choice]")].find((one) => one.dataset.choice === choice && !one.hidden);
    if (button) this.#give?.(button.dataset.verdict || null);
  }

  #wrong(words) {
    this.#dialog.querySelector(".wrong").textContent = words;
  }
}
