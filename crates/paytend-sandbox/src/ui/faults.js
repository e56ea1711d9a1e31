// The Faults tab: the active faults, and the form that adds a fault.
import { ask, post } from "./api.js";
import { BOTH, CALL, KINDS, NOTIFICATION, faultText, info, kindOf, title } from "./catalogue.js";
import { $, h, hook, toast } from "./dom.js";
import { act } from "./refresh.js";

function drawFaultForm() {
  const group = (label, which) => h("optgroup", { label },
    KINDS.filter(([, where]) => where === which).map(([kind]) => h("option", { value: kind }, kind)));
  $("fault-kind").replaceChildren(
    group("Calls", CALL), group("Notifications", NOTIFICATION), group("Calls and notifications", BOTH));
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
  $("fault-hint").textContent = `${text} Applies to ${on}.`;
  $("fault-millis").disabled = !millis;
}

function addFault(event) {
  event.preventDefault();
  const problem = $("fault-problem");
  const on = $("fault-on").value.trim();
  const [kind, where, millis] = kindOf($("fault-kind").value);
  const wholeNumber = (id) => (/^-?\d+$/.test($(id).value.trim()) ? Number($(id).value) : NaN);
  const percent = wholeNumber("fault-percent");
  const times = $("fault-times").value.trim() === "" ? null : wholeNumber("fault-times");
  const delay = wholeNumber("fault-millis");
  const findProblem = () => {
    if (!on) return ["fault-on", "Enter an operation or a notification."];
    if (where === CALL && on.startsWith("notify ")) {
      return ["fault-kind", `${kind} applies only to calls. Enter an operation.`];
    }
    if (where === NOTIFICATION && !on.startsWith("notify ")) {
      return ["fault-on", `${kind} applies only to notifications. Enter one that begins with “notify”.`];
    }
    if (millis && (Number.isNaN(delay) || (delay < 0 && kind !== "clockSkew"))) {
      return ["fault-millis", "Milliseconds must be a whole number; only clockSkew allows a negative number."];
    }
    if (!(percent >= 0 && percent <= 100)) return ["fault-percent", "Percent must be a whole number from 0 to 100."];
    if (times !== null && !(times >= 1)) {
      return ["fault-times", "Times must be a whole number of at least 1, or empty for no limit."];
    }
    return null;
  };
  const found = findProblem();
  problem.textContent = found?.[1] ?? "";
  if (found) { $(found[0]).focus(); return; }
  act(hook("fault-add"), async () => {
    const fault = millis ? { kind, millis: delay } : { kind };
    showFaults((await post("/faults", { on, fault, percent, times })).faults);
    toast(`added ${kind} on ${on}`);
  });
}

function frequency(percent, times) {
  const often = times === null || times === undefined ? "always" : times === 1 ? "once" : `${times} more times`;
  return `${percent < 100 ? `${percent} percent of the time, ` : ""}${often}`;
}

export function showFaults(faults) {
  $("faults").replaceChildren(...faults.map(({ on, fault, percent, times }) => h("li", null,
    h("span", { class: "mono" }, on), " ", h("span", { class: "chip" }, faultText(fault)),
    ` ${frequency(percent, times)}`)));
  $("faults-set").textContent = `${faults.length} active`;
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
  on("faults-clear", "click", () =>
    act(null, async () => showFaults(JSON.parse(await ask("/faults", "DELETE")).faults)));
}
