// The Detail tab: the request and the response in a log entry.
import { get } from "./api.js";
import { faultText, kindOf, title } from "./catalogue.js";
import { toDelivery } from "./deliveries.js";
import { $, h, toast } from "./dom.js";
import { rows, select, selected } from "./log.js";
import { show } from "./tabs.js";
import { block, reading, stamp } from "./text.js";

const narrow = () => matchMedia("(max-width: 860px)").matches;

function explain(entry) {
  if (entry.kind === "call") return entry.good ? "The sandbox carried out the call." : "The sandbox refused the call.";
  if (entry.good) return "The receiver acknowledged the notification.";
  if (entry.status === null) return "The receiver sent no response. Deliveries shows the time of the next attempt.";
  return `The receiver responded with HTTP ${entry.status}, but did not acknowledge the notification. `
    + "Deliveries shows the time of the next attempt.";
}

export async function openEntry(id) {
  const known = rows.get(id);
  if (!known) return;
  select(id);
  show("detail");
  try {
    const entry = await get(`/log/${id}`);
    if (selected !== id) return;
    detail(entry, false);
    $("heard").textContent = `Opened ${entry.what}: ${entry.verdict}`;
    if (narrow()) {
      $("detail").scrollIntoView();
      $("detail").querySelector("h2").focus({ preventScroll: true });
    } else $("panel-detail").scrollTop = 0;
  } catch (error) {
    if (selected === id) closeEntry();
    toast(error.message, false);
  }
}

function detail(entry, revealed) {
  const call = entry.kind === "call";
  const again = (change) => () => {
    const focused = document.activeElement?.dataset?.key;
    change();
    detail(entry, revealed);
    $("detail").querySelector(`[data-key="${focused}"]`)?.focus();
  };
  const side = (name, heading, absent) => {
    const { wire = null, canonical = null, payload = null } = entry[name] ?? {};
    // PayBy and PayerMax do not encrypt messages, so the transmitted document shows the contents.
    const open = revealed || payload === null || wire !== payload;
    return h("section", { "aria-label": heading },
      h("h3", null, heading),
      revealed && block("Payload, decrypted", payload, `${name}-payload`, "None."),
      revealed && block("Signed canonical string", canonical, `${name}-canonical`,
        "None: the document has no signature of this kind, or it is not authentic."),
      open && block("Wire", wire, `${name}-wire`, absent));
  };
  const view = (label, value) => h("button", {
    type: "button", "data-key": label, "aria-pressed": String(reading.formatted === value),
    onclick: again(() => { reading.formatted = value; }),
  }, label);
  $("first-steps").hidden = true;
  $("detail").replaceChildren(
    h("div", { class: "head" },
      h("h2", { tabindex: "-1" }, entry.what, call ? "" : h("span", { class: "muted" }, ` ${title(entry.what)}`)),
      h("div", { class: "buttons" },
        entry.delivery && h("button", { type: "button", class: "small", onclick: () => toDelivery(entry.delivery) },
          `Delivery ${entry.delivery}`),
        h("button", { type: "button", class: "small", "data-testid": "detail-close", onclick: closeEntry }, "Close"))),
    h("p", { class: "meta num" },
      h("span", null, `${call ? "Call" : "Delivery attempt"}, entry ${entry.id}`),
      h("time", { datetime: stamp(entry.at) }, `${stamp(entry.at).replace("T", " ").replace("Z", "")} UTC`),
      entry.partner && h("span", null, `partner ${entry.partner}`),
      entry.status && h("span", null, `HTTP ${entry.status}`),
      entry.url && h("span", { class: "mono" }, entry.url)),
    h("div", { class: `verdict ${entry.good ? "" : "failed"}`, "data-testid": "verdict" },
      h("p", { class: `words ${entry.good ? "good" : "bad"}` }, `${entry.good ? "✓" : "✕"} ${entry.verdict}`),
      h("p", null, explain(entry)),
      entry.findings.length > 0 && h("ul", { class: "findings", "data-testid": "findings" },
        entry.findings.map((finding) => h("li", null, finding))),
      entry.faults.map((fault) => h("p", null, h("span", { class: "chip" }, `fault ${faultText(fault)}`),
        ` ${kindOf(fault.kind)?.[3] ?? ""}`))),
    h("div", { class: "head" },
      h("div", { class: "buttons" },
        h("button", {
          type: "button", class: revealed ? "" : "primary", "data-testid": "reveal", "data-key": "reveal",
          "aria-expanded": String(revealed), onclick: again(() => { revealed = !revealed; }),
        }, revealed ? "Hide contents" : "Show contents"),
        h("span", { class: "hint" },
          revealed ? "" : "The canonical string and the payload can contain personal data and session keys.")),
      h("div", { class: "segments", role: "group", "aria-label": "Text" },
        view("Formatted", true), view("Exact", false))),
    h("div", { class: "sides" },
      side("sent", call ? "Request" : "Notification", "Nothing was sent."),
      side("answered", call ? "Response" : "Receiver's response", "No response.")));
}

export function closeEntry() {
  const last = rows.get(selected)?.node.firstChild;
  select(null);
  $("detail").replaceChildren();
  $("first-steps").hidden = false;
  if (last && !last.parentElement.hidden) last.focus();
}
