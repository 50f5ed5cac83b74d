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
  // Resolves with the answer; null: left. Words: they came when the dialog was left already.
  async ask(study, give) {
    fill(this.#dialog, study);
    for (const part of this.#dialog.querySelectorAll("[data-network]")) part.hidden = part.dataset.network !== study.network;
    this.#note.value = this.#notes.get(study.uid) ?? "";
    let answer = null;
    let sending = null;
    this.#wrong("");
    this.#progress("");
    const send = async (verdict) => {
      this.#wrong("");
      this.#progress("Sending…");
      const told = await give(verdict, this.#note.value.trim());
      const left = this.#give !== choose; // then the dialog may stand open for another study: nothing of this one is told in it
      if (!left) this.#progress("");
      if (!left && typeof told === "string") return this.#wrong(told);
      answer = told;
      if (!left) this.#dialog.close();
    };
    const choose = (verdict) => {
      if (sending) this.#progress("Still sending; this press was not taken.");
      else sending = send(verdict).finally(() => { sending = null; });
    };
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

  #progress(words) {
    this.#dialog.querySelector(".sending").textContent = words;
  }

  #wrong(words) {
    this.#dialog.querySelector(".wrong").textContent = words;
  }
}
