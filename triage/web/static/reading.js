// Placeholder until the reading desk is merged.
import { send } from "./send.js";
export class ReadingDesk {
  constructor({ say, changed }) { this.say = say; this.changed = changed; }
  get busy() { return Boolean(document.querySelector("dialog[open]")); }
  async act(row, action, body) {
    const answer = await send(`/api/v1/studies/${row.dataset.uid}/${action}`, body);
    if (answer.ok) this.changed(row.dataset.uid, answer.body);
    else this.say(answer.body.detail);
    return answer.ok;
  }
  claim(row) { return this.act(row, "claim"); }
  release(row) { return this.act(row, "release"); }
  takeOver(row) { return this.act(row, "takeover"); }
  read(row) { return this.act(row, "read", {}); }
  stat(row) { return this.act(row, row.dataset.stat === "true" ? "unstat" : "stat"); }
  unread(row) { return this.act(row, "unread", { reason: "again" }); }
}
