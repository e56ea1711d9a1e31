// Verifies a notification that `paytend inbox serve --forward-to` has posted. This code needs only Node's built-in
// modules.
//
// Ignore a `webhook-id` that your service has already processed, because a notification can be posted more than once.

import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

/** Returns whether the body is authentic. `headers` has names in lower case, and `body` is the bytes as received. */
export function verify(secret, headers, body, now = Date.now() / 1000) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const { "webhook-id": id, "webhook-timestamp": timestamp } = headers;
  if (!(Math.abs(now - Number(timestamp)) <= 300)) return false;
  const digest = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  const expected = Buffer.from(`v1,${digest}`);
  return headers["webhook-signature"].split(" ").some((text) => {
    const given = Buffer.from(text);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
  const headers = Object.fromEntries(names.map((name) => [name, process.env[name.toUpperCase().replaceAll("-", "_")]]));
  console.log(verify(process.env.SECRET, headers, readFileSync(0)) ? "valid" : "invalid");
}
