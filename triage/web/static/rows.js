"use strict";
// The list under the fingers: one stop for Tab, arrows between rows, numbers copied by a click. The focus stays on its
// study when the list is swapped; when that study has left the list, it stays at the same place. So does the eye.
(() => {
  const list = document.getElementById("worklist");
  const rows = () => [...list.querySelectorAll("tbody tr")];
  let current = null; // id of the row that Tab reaches
  let place = 0;
  let within = false; // whether the focus was inside a row before the swap
  let anchor = null; // the row that a reader who has scrolled down looks at, and where it stands on the screen

  function reach(row) {
    for (const node of list.querySelectorAll('tbody [tabindex="0"]')) node.tabIndex = -1;
    for (const node of [row, ...row.querySelectorAll("button")]) node.tabIndex = 0;
    current = row.id;
    place = rows().indexOf(row);
  }

  function settle() {
    const all = rows();
    if (!all.length) return;
    const kept = all.find((row) => row.id === current);
    const row = kept ?? all[Math.min(place, all.length - 1)];
    reach(row);
    if (within && !list.contains(document.activeElement)) row.focus({ preventScroll: true });
  }

  const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };

  list.addEventListener("keydown", (event) => {
    const row = event.target.closest("tbody tr");
    const step = STEPS[event.key];
    if (event.key === "Enter" && event.target === row) row.querySelector("a.open").click();
    if (!row || !step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const all = rows();
    all[Math.min(all.length - 1, Math.max(0, all.indexOf(row) + step))].focus();
    event.preventDefault();
  });

  list.addEventListener("focusin", (event) => {
    const row = event.target.closest("tbody tr");
    if (row) reach(row);
  });

  list.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    await navigator.clipboard.writeText(button.textContent);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  });

  const top = (row) => row.getBoundingClientRect().top;

  list.addEventListener("htmx:beforeSwap", () => {
    within = list.contains(document.activeElement);
    const row = window.scrollY > 0 && (list.querySelector("tbody tr:hover") ?? rows().find((one) => top(one) >= 0));
    anchor = row ? { id: row.id, top: top(row) } : null;
  });

  list.addEventListener("htmx:afterSwap", () => {
    const row = anchor && document.getElementById(anchor.id);
    if (row) window.scrollBy(0, top(row) - anchor.top);
    settle();
  });

  settle();
  // back from a study: at the row one came from
  if (location.hash.startsWith("#study-")) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.focus();
})();
