// The partners, operations and notifications of the sandbox, and the kinds of faults.
import { get } from "./api.js";
import { $, h } from "./dom.js";

export let info = { partners: [], notifications: [], operations: [] };

/** Reads the data that does not change while the sandbox runs. */
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

/** Returns the title of a notification, such as `Fund deposit notification` for `baas 2`. */
export function title(what) {
  const [product, notifyType] = what.split(" ");
  if (what === "payby") return "PayBy";
  if (what === "payermax") return "PayerMax";
  return info.notifications.find((one) => one.product === product && one.notifyType === notifyType)?.title ?? "";
}

export const [CALL, NOTIFICATION, BOTH] = ["calls", "notifications", "both"];
export const KINDS = [
  ["latency", CALL, true, "The call is carried out after a delay in milliseconds."],
  ["hang", CALL, false, "No response is sent, and the connection stays open. The call is not carried out."],
  ["resetBefore", CALL, false, "The connection is closed without a response. The call is not carried out."],
  ["resetAfter", CALL, false, "The call is carried out, then the connection is closed without a response."],
  ["halfBody", CALL, false, "The call is carried out, and half of the response is sent."],
  ["html502", CALL, false, "The response is an HTML page with status 502. The call is not carried out."],
  ["unsignedSuccess", CALL, false, "The call is carried out, and the response reports success without a signature."],
  ["rateLimit", CALL, false, "The response has status 429 and Retry-After. The call is not carried out."],
  ["notificationFirst", CALL, false, "The notifications that the call causes are sent before the response."],
  ["executeDuplicate", CALL, false, "The call is carried out even if its requestId or orderNo was used before."],
  ["duplicate", NOTIFICATION, false, "The notification is sent twice."],
  ["reorder", NOTIFICATION, false,
    "The notification is sent after the next pending notification, or one second later if none is pending."],
  ["late", NOTIFICATION, true, "The notification is delayed by the given milliseconds of sandbox time."],
  ["wrongSignature", BOTH, false, "The signature is corrupted."],
  ["wrongKey", BOTH, false, "The message is signed with an unknown key."],
  ["staleKey", BOTH, false, "The message is signed with the key from before the last rotation."],
  ["clockSkew", BOTH, true,
    "The Date of a response and the times in a PayBy or PayerMax notification are shifted by the given milliseconds."],
];
export const kindOf = (name) => KINDS.find(([kind]) => kind === name);
export const faultText = (fault) => (fault.millis === undefined ? fault.kind : `${fault.kind} ${fault.millis} ms`);
