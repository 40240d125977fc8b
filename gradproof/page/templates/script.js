"use strict";
// Filters, opening and copying. Without a script the page shows everything, and details open by themselves.

// A number finds that number alone (7 is not 17); words must all occur.
function meets(item, query, kind) {
  if (kind && item.dataset.kind !== kind) return false;
  const words = query.toLowerCase().replace(/[()]/g, " ").split(/\s+/).filter(Boolean);
  const numbers = item.dataset.numbers.toLowerCase().split("|");
  const text = item.dataset.words.toLowerCase();
  return words.every((word) => numbers.some((n) => n.split(" ").includes(word) || n.startsWith(word + "-") || n === "eq-" + word) ||
    (!/^\d+$/.test(word) && (text.includes(word) || numbers.some((n) => n.includes(word)))));
}

for (const form of document.querySelectorAll(".tools")) {
  const items = [...document.querySelectorAll("." + form.dataset.for + "[data-kind]")];
  const [query, kind, output] = [form.querySelector("input"), form.querySelector("select"), form.querySelector("output")];
  const groups = [...document.querySelectorAll("#claims .group")];
  const apply = () => {
    let shown = 0;
    for (const item of items) {
      const found = meets(item, query.value, kind.value);
      item.toggleAttribute("data-away", !found);
      shown += found;
    }
    if (form.dataset.for === "claim") {
      for (const group of groups) group.toggleAttribute("data-away", !group.querySelector(".claim:not([data-away])"));
    }
    output.value = shown + " of " + items.length;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  const all = form.querySelector(".all");
  all?.addEventListener("click", () => {
    const open = all.getAttribute("aria-pressed") !== "true";
    for (const item of items) item.open = open;
    all.setAttribute("aria-pressed", String(open));
    all.textContent = open ? "Close all" : "Open all";
  });
}

// A link to a card opens it, and brings it back where a filter had taken it away.
function follow() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let at = target; at; at = at.parentElement) at.removeAttribute("data-away");
  if (target.localName === "details") target.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", follow);
follow();

for (const button of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

// On paper everything is open.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const item of closed) item.open = true;
});
addEventListener("afterprint", () => { for (const item of closed) item.open = false; });
