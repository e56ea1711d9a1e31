// The control interface: its calls, its stream of events, and the token for both.
import { $ } from "./dom.js";

// In memory only: the token is gone when the page is.
let token = "";

export function useToken(given) {
  token = given;
}

/** Takes the token from the address, where there is one. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return false;
  token = given;
  // Out of the address bar, the history and pictures of the screen.
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
    throw new Error("The sandbox does not answer. Is it running?");
  }
  const text = await response.text();
  if (response.ok) return text;
  if (response.status === 401) $("token-form").hidden = false;
  let problem = `HTTP ${response.status}`;
  try {
    problem = JSON.parse(text).error ?? problem;
  } catch { /* not JSON: the status has to do */ }
  throw new Error(problem);
}

export const get = async (path) => JSON.parse(await ask(path));
export const post = async (path, body = {}) =>
  JSON.parse(await ask(path, "POST", typeof body === "string" ? body : JSON.stringify(body)));

export const openEvents = () => new EventSource(`/_sandbox/events${token ? `?token=${encodeURIComponent(token)}` : ""}`);
