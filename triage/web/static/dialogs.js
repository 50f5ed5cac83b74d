// Questions in dialogs. The focus goes back to where it was, also when that part of the page was made anew meanwhile.

// Opens a dialog; resolves with its returnValue ("" when it was left) once it is closed.
export function opened(dialog) {
  const before = document.activeElement;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    // not the event "close": it comes later, and a key pressed in between would be lost
    const watch = new MutationObserver(() => {
      if (dialog.open) return;
      watch.disconnect();
      const back = before?.isConnected ? before : document.getElementById(before?.id);
      back?.focus({ preventScroll: true });
      done(dialog.returnValue);
    });
    watch.observe(dialog, { attributeFilter: ["open"] });
  });
}

// Writes values into the places of a dialog that are named after them.
export function fill(dialog, values) {
  for (const place of dialog.querySelectorAll("[data-fill]")) place.textContent = values[place.dataset.fill] ?? "";
}

export const isText = (node) => node.matches("textarea, select, input:not([type=checkbox], [type=radio])");

// A press that was meant: not the repetition of a key held down, not part of a shortcut of the browser.
export const isPress = (event) => !(event.repeat || event.altKey || event.ctrlKey || event.metaKey || event.isComposing);
