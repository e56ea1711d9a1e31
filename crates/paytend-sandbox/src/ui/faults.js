// The faults that are set, and the form that sets them.
import { ask, post } from "./api.js";
import { BOTH, CALL, KINDS, NOTIFICATION, faultText, info, kindOf, title } from "./catalogue.js";
import { $, h, hook, toast } from "./dom.js";
import { act } from "./refresh.js";

function drawFaultForm() {
  const group = (label, which) => h("optgroup", { label },
    KINDS.filter(([, where]) => where === which).map(([kind]) => h("option", { value: kind }, kind)));
  $("fault-kind").replaceChildren(group("Calls", CALL), group("Notifications", NOTIFICATION), group("Calls and notifications", BOTH));
  faultHint();
}

export function drawTargets() {
  const all = ["*", ...new Set(info.operations.map((one) => one.name)), "notify *",
    ...info.notifications.map((one) => `notify ${one.product} ${one.notifyType}`), "notify payby", "notify payermax"];
  $("targets").replaceChildren(...all.map((value) => h("option", { value }, title(value.replace("notify ", "")))));
}

function faultHint() {
  const [, where, millis, text] = kindOf($("fault-kind").value);
  const on = where === BOTH ? "calls and notifications" : where;
  $("fault-hint").textContent = `${text} For ${on}.`;
  $("fault-millis").disabled = !millis;
}

function addFault(event) {
  event.preventDefault();
  const problem = $("fault-problem");
  const on = $("fault-on").value.trim();
  const [kind, where, millis] = kindOf($("fault-kind").value);
  const whole = (id) => (/^-?\d+$/.test($(id).value.trim()) ? Number($(id).value) : NaN);
  const percent = whole("fault-percent");
  const times = $("fault-times").value.trim() === "" ? null : whole("fault-times");
  const delay = whole("fault-millis");
  const wrong = () => {
    if (!on) return ["fault-on", "Say on which operation or notification."];
    if (where === CALL && on.startsWith("notify ")) return ["fault-kind", `${kind} is for calls: choose an operation.`];
    if (where === NOTIFICATION && !on.startsWith("notify ")) return ["fault-on", `${kind} is for notifications: choose one that begins with “notify”.`];
    if (millis && (Number.isNaN(delay) || (delay < 0 && kind !== "clockSkew"))) return ["fault-millis", "Milliseconds are a whole number; only clockSkew takes one below zero."];
    if (!(percent >= 0 && percent <= 100)) return ["fault-percent", "Percent is a whole number from 0 to 100."];
    if (times !== null && !(times >= 1)) return ["fault-times", "Times is a whole number from 1, or empty for always."];
    return null;
  };
  const found = wrong();
  problem.textContent = found?.[1] ?? "";
  if (found) { $(found[0]).focus(); return; }
  act(hook("fault-add"), async () => {
    showFaults((await post("/faults", { on, fault: millis ? { kind, millis: delay } : { kind }, percent, times })).faults);
    toast(`${kind} on ${on} is set`);
  });
}

export function showFaults(faults) {
  $("faults").replaceChildren(...faults.map(({ on, fault, percent, times }) => h("li", null,
    h("span", { class: "mono" }, on), " ", h("span", { class: "chip" }, faultText(fault)),
    ` ${percent < 100 ? `${percent} percent of the time, ` : ""}${times === null || times === undefined ? "always" : times === 1 ? "once" : `${times} times more`}`)));
  $("faults-set").textContent = `${faults.length} set`;
  $("faults-set").hidden = faults.length === 0;
  $("faults-empty").hidden = faults.length > 0;
  $("faults-clear").disabled = faults.length === 0;
}

export function bindFaults() {
  const on = (id, event, listener) => $(id).addEventListener(event, listener);

  drawFaultForm();
  on("fault-kind", "change", faultHint);
  on("fault-form", "submit", addFault);
  on("fault-once", "click", () => { $("fault-times").value = "1"; });
  on("fault-always", "click", () => { $("fault-times").value = ""; });
  on("faults-clear", "click", () => act(null, async () => showFaults(JSON.parse(await ask("/faults", "DELETE")).faults)));
}
