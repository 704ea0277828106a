"use strict";
(() => {
  const root = document.documentElement, one = (what) => document.querySelector(what), all = (what) => [...document.querySelectorAll(what)];
  const kept = localStorage.getItem("theme"); if (kept) root.dataset.theme = kept;
  const theme = () => { const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark"; localStorage.setItem("theme", root.dataset.theme); };
  const say = (text, tone = "good") => { const place = one("#toast"); if (!place) return; const line = document.createElement("p"); line.className = `toast ${tone}`; line.textContent = text; place.replaceChildren(line); fade(); };
  let timer; const fade = () => { clearTimeout(timer); timer = setTimeout(() => one("#toast")?.replaceChildren(), 5000); };
  const copy = async (text) => { try { await navigator.clipboard.writeText(text); }
    catch { const area = document.createElement("textarea"); area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove(); } say("Copied."); };
  const rows = () => all("tr[data-row]"), at = () => rows().findIndex((row) => "at" in row.dataset);
  const move = (step) => { const list = rows(); if (!list.length) return; const next = Math.min(Math.max(at() + step, 0), list.length - 1);
    list.forEach((row) => delete row.dataset.at); list[next].dataset.at = ""; list[next].scrollIntoView({ block: "nearest" }); };
  const count = () => { const place = one("[data-chosen]"); if (place) place.textContent = all("tbody input[type=checkbox]:checked").length; };
  const words = all("#qualifiers option").map((option) => option.value); // the list completes the last word, whatever stands before it
  document.addEventListener("input", (event) => { if (!event.target.matches("[data-search]") || !words.length) return;
    const before = event.target.value.replace(/\S*$/, ""), last = event.target.value.slice(before.length), bare = last.replace(/^-/, ""), sign = last.slice(0, last.length - bare.length);
    one("#qualifiers").replaceChildren(...(bare ? words.filter((word) => word.startsWith(bare) && word !== bare) : []).map((word) => { const option = document.createElement("option"); option.value = before + sign + word; return option; })); });
  one("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }); // on a phone the menu is a strip
  let going = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) { if (event.key === "Escape") event.target.blur(); return; }
    const key = event.key;
    if (going) { going = false; const link = one(`nav a[data-key="${CSS.escape(key)}"]`); if (link) { event.preventDefault(); link.click(); } return; }
    const review = one("[data-review]");
    if (review) { const button = review.querySelector(`button[data-key="${CSS.escape(key)}"]`); if (button) { event.preventDefault(); button.click(); return; } }
    const row = rows()[at()];
    if (key === "/") { event.preventDefault(); one("[data-search]")?.focus(); }
    else if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "Enter" && row && !event.target.closest("a, button, summary")) row.querySelector("a")?.click();
    else if (key === "g") { going = true; setTimeout(() => { going = false; }, 1500); }
    else if (key === "x" && row) { const box = row.querySelector("input[type=checkbox]"); if (box) { box.checked = !box.checked; count(); } }
    else if (key === "r") one('[data-action="r"]')?.click();
    else if (key === "c") copy(row ? row.querySelector("a").href : location.href);
    else if (key === ".") one("[data-live]")?.click();
    else if (key === "t") theme();
    else if (key === "?") location.href = "/help";
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-toggle]")) theme();
    const copied = event.target.closest("[data-copy]"); if (copied) copy(copied.dataset.copy || location.href.split("#")[0]);
    for (const open of all("details.drop[open]")) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener("change", (event) => { if (event.target.matches("tbody input[type=checkbox]")) count(); if (event.target.matches("[data-submit]")) event.target.form.submit(); });
  document.addEventListener("htmx:sendError", () => say("The server does not answer.", "bad"));
  document.addEventListener("htmx:afterSwap", (event) => { if (event.target.id === "toast") fade(); });
})();
