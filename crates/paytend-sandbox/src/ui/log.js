// The list of calls and deliveries, with search, filter and selection.
import { faultText, title } from "./catalogue.js";
import { $, h } from "./dom.js";
import { short, stamp } from "./text.js";

const MAX_LOG_ENTRIES = 1000;

export const log = $("log");
/** The log entries and their rows in the list, by entry ID. */
export const rows = new Map();
let filter = "all";
export let selected = null;

function row(entry) {
  const mark = h("span", { class: `mark ${entry.good ? "good" : "bad"}`, "aria-hidden": "true" },
    entry.good ? "✓" : "✕");
  const name = entry.kind === "delivery" ? title(entry.what) : "";
  const button = h("button", {
    type: "button", class: "entry", tabindex: "-1", "data-testid": "entry",
    "data-id": entry.id, "data-kind": entry.kind, "data-good": String(entry.good),
  },
  mark,
  h("span", { class: "what", title: entry.what }, entry.what, name && h("span", { class: "muted" }, ` ${name}`)),
  h("time", { class: "at", datetime: stamp(entry.at), title: `${stamp(entry.at)} sandbox time` }, short(entry.at)),
  h("span", { class: "line" },
    h("span", { class: "muted" }, entry.kind === "delivery" ? `delivery ${entry.delivery ?? ""}` : "call"),
    h("span", { class: entry.good ? "good" : "bad" },
      h("span", { class: "sr" }, entry.good ? "succeeded: " : "failed: "), entry.verdict),
    entry.faults.map((fault) => h("span", { class: "chip" }, `fault ${faultText(fault)}`))));
  return h("li", null, button);
}

function matches(entry) {
  if (filter === "calls" && entry.kind !== "call") return false;
  if (filter === "deliveries" && entry.kind !== "delivery") return false;
  if (filter === "failures" && entry.good) return false;
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [entry.what, entry.kind, entry.verdict, entry.partner, entry.url ?? "", entry.status ?? "",
    title(entry.what), entry.delivery ? `delivery ${entry.delivery}` : "", ...entry.faults.map(faultText)];
  const found = text.join(" ").toLowerCase();
  return words.every((word) => found.includes(word));
}

export const visible = () => [...log.querySelectorAll("li:not([hidden]) > button")];

/** Makes one row reachable with Tab: the given row, or the newest row by default. */
export function makeTabbable(to) {
  log.querySelector('button[tabindex="0"]')?.setAttribute("tabindex", "-1");
  (to ?? visible()[0])?.setAttribute("tabindex", "0");
}

export function applyFilter() {
  let shown = 0;
  for (const { entry, node } of rows.values()) {
    node.hidden = !matches(entry);
    if (!node.hidden) shown += 1;
  }
  $("count").textContent = shown === rows.size ? `${rows.size}` : `${shown} of ${rows.size}`;
  const current = log.querySelector('button[tabindex="0"]');
  if (!current || current.parentElement.hidden) {
    const open = rows.get(selected)?.node;
    makeTabbable(open?.hidden === false ? open.firstChild : null);
  }
  $("log-empty").hidden = shown > 0;
  $("log-empty").textContent = rows.size > 0 ? "No entry matches. Clear the search or show all."
    : "No calls yet. Calls and deliveries appear here immediately. See Detail for the first steps.";
}

export function put(entry, fresh) {
  if (rows.has(entry.id)) return;
  const node = row(entry);
  if (fresh) node.firstChild.classList.add("fresh");
  rows.set(entry.id, { entry, node });
  log.prepend(node);
  if (rows.size > MAX_LOG_ENTRIES) {
    const [oldest] = rows.keys();
    rows.get(oldest).node.remove();
    rows.delete(oldest);
  }
}

export function mark() {
  for (const { node } of rows.values()) node.firstChild.removeAttribute("aria-current");
  const chosen = rows.get(selected)?.node.firstChild;
  chosen?.setAttribute("aria-current", "true");
  makeTabbable(chosen);
}

export function select(id) {
  selected = id;
  mark();
}

/** Binds the list's controls. `open` is called with the ID of a clicked entry. */
export function bindLog(open) {
  log.addEventListener("click", (event) => {
    const button = event.target.closest("button.entry");
    if (button) open(Number(button.dataset.id));
  });
  $("search").addEventListener("input", applyFilter);
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.addEventListener("click", () => {
      filter = button.dataset.filter;
      for (const other of document.querySelectorAll("[data-filter]")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      applyFilter();
    });
  }
}
