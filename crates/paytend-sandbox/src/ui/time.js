// The Time tab: the sandbox's clock.
import { post } from "./api.js";
import { $, h, hook, onSubmit, toast } from "./dom.js";
import { act } from "./refresh.js";
import { moment, span, stamp } from "./text.js";

let clock = { now: 0, factor: 0, at: 0, nextDue: null };

export const now = () => clock.now + (performance.now() - clock.at) * clock.factor;

export function showClock({ now: at, pace, nextDue }) {
  const factor = pace === "real" ? 1 : pace === "frozen" ? 0 : pace.accelerated;
  clock = { now: at, factor, at: performance.now(), nextDue };
  const value = typeof pace === "string" ? pace : String(pace.accelerated);
  const select = $("pace");
  if (![...select.options].some((option) => option.value === value)) {
    select.append(h("option", { value }, `×${value}`));
  }
  if (document.activeElement !== select) select.value = value;
  $("pace-now").textContent = pace === "real" ? "" : pace === "frozen" ? "frozen" : `×${factor}`;
  tick();
}

export function tick() {
  if (!clock.at) return;
  const at = now();
  const text = moment(at);
  hook("now").textContent = text;
  hook("now").dateTime = stamp(at);
  $("now-long").textContent = `${text} UTC`;
  $("next-due").textContent =
    clock.nextDue === null ? "nothing" : `${moment(clock.nextDue)} UTC, in ${span(clock.nextDue - at)}`;
  for (const node of document.querySelectorAll("[data-due]")) {
    const left = Number(node.dataset.due) - at;
    node.textContent = left > 0 ? `in ${span(left)}` : "now";
  }
}

/** Converts days and weeks to hours, the largest unit that the sandbox accepts. */
function inHours(text) {
  if (/^\s*[+-]?p/i.test(text)) return text;
  let hours = 0;
  const rest = text.replace(/(\d+)\s*(weeks?|w|days?|d|hours?|hrs?|h)(?![a-z])[\s,]*/gi, (_, count, unit) => {
    hours += Number(count) * { w: 168, d: 24, h: 1 }[unit[0].toLowerCase()];
    return "";
  }).trim();
  return hours > 0 ? `${hours}h ${rest}`.trim() : text;
}

const advance = (control, by, words) => act(control, async () => {
  showClock(await post("/clock/advance", { by: inHours(by) }));
  toast(`advanced by ${words}`);
});

export function bindTime() {
  for (const it of document.querySelectorAll("[data-by]")) {
    it.addEventListener("click", () => advance(it, it.dataset.by, it.textContent));
  }
  onSubmit("advance-form", (button) => {
    const by = $("advance-by").value.trim();
    if (by) advance(button, by, by);
    else { toast("enter a duration such as 90s or 3 days", false); $("advance-by").focus(); }
  });
  $("pace").addEventListener("change", () => act(null, async () => {
    const value = $("pace").value;
    showClock(await post("/clock", { pace: /^\d+$/.test(value) ? { accelerated: Number(value) } : value }));
  }));
}
