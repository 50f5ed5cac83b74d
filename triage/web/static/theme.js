"use strict";
// Before the page is drawn: dark, unless this browser chose light. Runs in the head so that nothing flashes.
document.documentElement.dataset.theme = localStorage.getItem("theme") === "light" ? "light" : "dark";
addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  if (!button) return;
  const show = () => {
    const light = document.documentElement.dataset.theme === "light";
    button.setAttribute("aria-pressed", String(light));
  };
  button.addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "light" ? "dark" : "light";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    show();
  });
  show();
});
