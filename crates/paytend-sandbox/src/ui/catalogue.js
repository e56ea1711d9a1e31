// What the sandbox has: partners, operations and notifications, as it tells, and the faults that there are.
import { get } from "./api.js";
import { $, h } from "./dom.js";

export let info = { partners: [], notifications: [], operations: [] };

/** Reads what does not change while the sandbox runs. */
export async function readInfo() {
  info = await get("");
}

let partners = "";
export function showPartners() {
  if (partners !== info.partners.join()) {
    partners = info.partners.join();
    $("partner").replaceChildren(...info.partners.map((id) => h("option", { value: id }, id)));
    $("partner").disabled = info.partners.length < 2;
  }
}

export const partnerId = () => $("partner").value || info.partners[0];

/** What a notification is called, such as `Fund deposit notification` for `baas 2`. */
export function title(what) {
  const [product, notifyType] = what.split(" ");
  if (what === "payby") return "PayBy";
  if (what === "payermax") return "PayerMax";
  return info.notifications.find((one) => one.product === product && one.notifyType === notifyType)?.title ?? "";
}

export const [CALL, NOTIFICATION, BOTH] = ["calls", "notifications", "both"];
export const KINDS = [
  ["latency", CALL, true, "The call is carried out and answered so many milliseconds later."],
  ["hang", CALL, false, "There is no answer and the connection stays open. The call is not carried out."],
  ["resetBefore", CALL, false, "The connection is closed without an answer. The call is not carried out."],
  ["resetAfter", CALL, false, "The call is carried out, then the connection is closed without an answer."],
  ["halfBody", CALL, false, "The call is carried out, and half of the answer is sent."],
  ["html502", CALL, false, "An HTML page with status 502. The call is not carried out."],
  ["unsignedSuccess", CALL, false, "The call is carried out, and the answer is a success without a signature."],
  ["rateLimit", CALL, false, "Status 429 with Retry-After. The call is not carried out."],
  ["notificationFirst", CALL, false, "The notifications that the call makes are sent before it is answered."],
  ["duplicate", NOTIFICATION, false, "The notification is sent twice."],
  ["reorder", NOTIFICATION, false, "The notification is sent after the next one, or a second later if none waits."],
  ["late", NOTIFICATION, true, "The notification is sent so many milliseconds of sandbox time later."],
  ["wrongSignature", BOTH, false, "The signature is wrong by a bit."],
  ["wrongKey", BOTH, false, "Signed with a stranger's key."],
  ["staleKey", BOTH, false, "Signed with the key from before the last rotation."],
  ["clockSkew", BOTH, true, "The Date of the answer, or the times in a PayBy or PayerMax notification, are off by so many milliseconds."],
];
export const kindOf = (name) => KINDS.find(([kind]) => kind === name);
export const faultText = (fault) => (fault.millis === undefined ? fault.kind : `${fault.kind} ${fault.millis} ms`);
