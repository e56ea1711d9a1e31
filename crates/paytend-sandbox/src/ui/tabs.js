// The tabs on the right side of the page.
import { $ } from "./dom.js";

const tabs = [...document.querySelectorAll('[role="tab"]')];
/** The functions called when a tab is shown, by the tab's name. */
const opened = new Map();
export const whenShown = (name, work) => opened.set(name, work);

export function show(name) {
  for (const tab of tabs) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
  opened.get(name)?.();
}

function tabKeys(event) {
  const at = tabs.indexOf(event.target.closest('[role="tab"]'));
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  const tab = tabs[(to + tabs.length) % tabs.length];
  tab.focus();
  show(tab.id.slice(4));
}

export function bindTabs() {
  for (const tab of tabs) tab.addEventListener("click", () => show(tab.id.slice(4)));
  document.querySelector('[role="tablist"]').addEventListener("keydown", tabKeys);
}
