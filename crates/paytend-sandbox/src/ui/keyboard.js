// Keyboard shortcuts of the page.
import { closeEntry } from "./detail.js";
import { $ } from "./dom.js";
import { log, makeTabbable, rows, selected, applyFilter, visible } from "./log.js";
import { askReset } from "./world.js";

export function keyboard(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const search = $("search");
  if (event.key === "Escape") {
    if (!$("reset-ask").hidden) askReset(false);
    else if (document.activeElement === search) {
      search.value = "";
      applyFilter();
      (rows.get(selected)?.node.firstChild ?? visible()[0] ?? $("work")).focus();
    } else if (selected !== null) closeEntry();
    return;
  }
  const typing = event.target.closest?.("input, textarea, select");
  if (typing && !(typing === search && event.key === "ArrowDown")) return;
  if (event.key === "/") {
    event.preventDefault();
    search.focus();
    search.select();
    return;
  }
  const inList = log.contains(document.activeElement) || typing === search;
  const down = event.key === "j" || (inList && event.key === "ArrowDown");
  const up = event.key === "k" || (inList && event.key === "ArrowUp");
  if (!down && !up) return;
  const all = visible();
  if (all.length === 0) return;
  event.preventDefault();
  let at = all.indexOf(document.activeElement);
  if (at < 0 && !typing) at = all.findIndex((one) => one.getAttribute("aria-current") === "true");
  const to = at < 0 ? 0 : at + (down ? 1 : -1);
  const next = all[Math.min(all.length - 1, Math.max(0, to))];
  makeTabbable(next);
  next.focus();
}
