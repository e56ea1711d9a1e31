// The Triggers tab: buttons that send notifications.
import { post } from "./api.js";
import { info, partnerId } from "./catalogue.js";
import { $, h, toast } from "./dom.js";
import { act } from "./refresh.js";

/** The fields that the sandbox reads or writes, by notification. */
const FIELDS = {
  "baas 1": "accountNum, userId", "baas 2": "amount, currency, accountNum", "baas 3": "userId, auditStatus: 1–3",
  "baas 4": "orderNo", "baas 6": "userId", "baas 8": "amount, currency, userId, transactionId",
  "issuing 1": "cardId, amount, transactionType: 1, 2", "issuing 2": "holderId, status: 1–3",
  "issuing 3": "orderNo, status",
};

export function drawTriggers() {
  const button = (product, notifyType, name) => {
    const what = notifyType ? `${product} ${notifyType}` : product;
    const it = h("button", { type: "button", class: "trigger", "data-testid": `trigger-${what.replace(" ", "-")}` },
      h("span", { class: "what" }, name),
      notifyType && h("span", { class: "fields-of" }, `${what}: ${FIELDS[what] ?? "any fields"}`));
    it.addEventListener("click", () => trigger(it, product, notifyType));
    return it;
  };
  const names = { baas: "BaaS", issuing: "Issuing" };
  const products = [...new Set(info.notifications.map((one) => one.product))];
  $("triggers").replaceChildren(...products.flatMap((product) => [
    h("h3", null, names[product] ?? product),
    h("div", { class: "grid" }, info.notifications.filter((one) => one.product === product)
      .map((one) => button(product, one.notifyType, one.title)))]));
  $("providers").replaceChildren(
    button("payby", null, "PayBy notification"), button("payermax", null, "PayerMax notification"));
}

function trigger(control, product, notifyType) {
  const text = $("trigger-content").value.trim();
  const problem = $("trigger-problem");
  problem.textContent = "";
  if (text) {
    try {
      const value = JSON.parse(text);
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object");
    } catch (error) {
      problem.textContent = `The overrides must be a JSON object: ${error.message}`;
      $("trigger-content").focus();
      return;
    }
  }
  const wanted = { partner: partnerId(), product, notifyType: notifyType ?? undefined };
  // Without a URL, PayBy's and PayerMax's notifications are posted to the callback URL.
  if (!notifyType) wanted.url = $("trigger-url").value.trim() || undefined;
  // The overrides are sent exactly as typed, so 25.00 stays 25.00.
  const body = JSON.stringify(wanted);
  act(control, async () => {
    const { deliveries } = await post("/trigger", text ? `${body.slice(0, -1)},"content":${text}}` : body);
    toast(deliveries.length ? `created delivery ${deliveries.join(", ")}` : "no notification was created");
  });
}
