// Access to the control interface: requests, the event stream, and the token for both.
import { $ } from "./dom.js";

// The token is kept only in memory, until the page is closed.
let token = "";

export function useToken(given) {
  token = given;
}

/** Reads the token from the URL's fragment and removes it from the URL. Returns whether a token was found. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return false;
  token = given;
  // Remove the token from the address bar, so that it does not appear in the history or in screenshots.
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

export async function ask(path, method = "GET", body = undefined) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`/_sandbox${path}`, { method, headers, cache: "no-store", body });
  } catch {
    throw new Error("The sandbox does not respond. Check that it is running.");
  }
  const text = await response.text();
  if (response.ok) return text;
  if (response.status === 401) $("token-form").hidden = false;
  let problem = `HTTP ${response.status}`;
  try {
    problem = JSON.parse(text).error ?? problem;
  } catch { /* The body is not JSON; show the status. */ }
  throw new Error(problem);
}

export const get = async (path) => JSON.parse(await ask(path));
export const post = async (path, body = {}) =>
  JSON.parse(await ask(path, "POST", typeof body === "string" ? body : JSON.stringify(body)));

export const openEvents = () =>
  new EventSource(`/_sandbox/events${token ? `?token=${encodeURIComponent(token)}` : ""}`);
