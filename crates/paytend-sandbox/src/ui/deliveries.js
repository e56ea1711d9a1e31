// The Deliveries tab: notifications and their delivery attempts.
import { get, post } from "./api.js";
import { title } from "./catalogue.js";
import { $, h, toast } from "./dom.js";
import { act, refresh } from "./refresh.js";
import { show } from "./tabs.js";
import { block, moment } from "./text.js";
import { tick } from "./time.js";

const MAX_DELIVERIES = 200;
const STATES = {
  pending: ["● Pending", "warn"], acknowledged: ["✓ Acknowledged", "good"],
  givenUp: ["✕ Given up", "bad"], noUrl: ["✕ No callback URL", "bad"],
};
const shownDeliveries = new Map();

function attemptText({ at, status, acknowledged, reason }) {
  const response = status === null ? "no response" : `HTTP ${status}`;
  const outcome = acknowledged ? "acknowledged" : "not acknowledged";
  return `${moment(at)}  ${response}, ${outcome}${reason ? `: ${reason}` : ""}`;
}

function deliveryNode(id) {
  const description = h("div");
  const contents = h("div", { hidden: true });
  const button = h("button", { type: "button", class: "small", "aria-expanded": "false" }, "Show contents");
  button.addEventListener("click", () => act(button, async () => {
    if (contents.hidden) {
      const { content, wire } = await get(`/deliveries/${id}`);
      contents.replaceChildren(block("Content", content, "delivery-content", "None."),
        block("Document of the last attempt, as sent", wire, "delivery-wire", "Nothing has been sent yet."));
    } else contents.replaceChildren();
    contents.hidden = !contents.hidden;
    button.textContent = contents.hidden ? "Show contents" : "Hide contents";
    button.setAttribute("aria-expanded", String(!contents.hidden));
  }));
  const again = h("button", { type: "button", class: "small", "data-testid": "resend" }, "Resend");
  again.addEventListener("click", () => act(again, async () => {
    const { state } = await post(`/deliveries/${id}/resend`, {});
    toast(`delivery ${id} was resent: ${STATES[state]?.[0] ?? state}`, state === "acknowledged");
  }));
  const attributes = { class: "delivery", tabindex: "-1", "data-testid": "delivery", "data-id": id };
  return { node: h("li", attributes, description, button, " ", again, contents), description, drawn: "" };
}

export function showDeliveries(all) {
  const list = $("deliveries");
  const last = all.slice(-MAX_DELIVERIES).reverse();
  const ids = new Set(last.map((one) => one.id));
  for (const [id, { node }] of shownDeliveries) if (!ids.has(id)) { node.remove(); shownDeliveries.delete(id); }
  let before = null;
  for (const delivery of last) {
    let known = shownDeliveries.get(delivery.id);
    // After a reset, numbering starts again, so an existing node may belong to a different delivery.
    if (known?.madeAt !== delivery.madeAt) {
      known?.node.remove();
      known = { ...deliveryNode(delivery.id), madeAt: delivery.madeAt };
      shownDeliveries.set(delivery.id, known);
    }
    // Move the node only if necessary, so that it keeps the focus.
    const place = before ? before.nextSibling : list.firstChild;
    if (place !== known.node) list.insertBefore(known.node, place);
    before = known.node;
    const drawing = JSON.stringify(delivery);
    if (drawing === known.drawn) continue;
    known.drawn = drawing;
    const [state, style] = STATES[delivery.state] ?? [delivery.state, ""];
    known.node.dataset.state = delivery.state;
    known.description.replaceChildren(
      h("p", { class: "first" },
        h("span", null, h("span", { class: "num muted" }, `${delivery.id}  `),
          h("span", { class: "name-of" }, delivery.what), ` ${title(delivery.what)}`),
        h("span", { class: style }, state)),
      h("p", { class: "url mono muted" }, delivery.url ?? "No callback URL is set. Set it under World."),
      h("ol", null,
        h("li", { class: "muted" }, `${moment(delivery.madeAt)}  created`),
        delivery.attempts.map((attempt) =>
          h("li", { class: attempt.acknowledged ? "good" : "bad" }, attemptText(attempt))),
        delivery.nextAt && h("li", { class: "warn" }, `${moment(delivery.nextAt)}  next attempt, `,
          h("span", { "data-due": delivery.nextAt }))));
  }
  const pending = all.filter((one) => one.state === "pending").length;
  $("pending").textContent = `${pending} pending`;
  $("pending").hidden = pending === 0;
  $("deliveries-empty").hidden = all.length > 0;
  $("deliveries-cut").textContent =
    all.length > MAX_DELIVERIES ? `the last ${MAX_DELIVERIES} of ${all.length}` : "";
  tick();
}

export async function toDelivery(id) {
  show("deliveries");
  await refresh();
  for (const { node } of shownDeliveries.values()) node.classList.remove("marked");
  const node = shownDeliveries.get(id)?.node;
  node?.classList.add("marked");
  node?.scrollIntoView({ block: "nearest" });
  node?.focus({ preventScroll: true });
}
