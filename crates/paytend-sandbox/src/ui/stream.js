// The connection to the sandbox, which reads the log once and then follows the event stream.
import { get, openEvents } from "./api.js";
import { closeEntry } from "./detail.js";
import { $, toast } from "./dom.js";
import { log, mark, put, rows, selected, applyFilter } from "./log.js";
import { refreshSoon } from "./refresh.js";

let loading = null;
/** Reads the whole log. Entries that the stream delivers in the meantime are appended. */
async function loadLog() {
  const meanwhile = (loading = []);
  try {
    const { entries } = await get("/log");
    if (loading !== meanwhile) return;
    const focused = log.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    const before = rows.get(selected)?.entry;
    rows.clear();
    log.replaceChildren();
    for (const entry of [...entries, ...meanwhile]) put(entry, false);
    const now = rows.get(selected);
    // After a restart or reset, the same ID may belong to a different entry.
    if (before && now && now.entry.at === before.at && now.entry.what === before.what) mark();
    else if (selected !== null) closeEntry();
    applyFilter();
    if (focused) rows.get(Number(focused))?.node.firstChild.focus();
  } catch (error) {
    toast(error.message, false);
  } finally {
    if (loading === meanwhile) loading = null;
  }
}

let unannounced = [];
let announceTimer = 0;
/** Announces new entries to screen readers, at most once per second. */
function announce(entry) {
  unannounced.push(entry);
  announceTimer ||= setTimeout(() => {
    const [{ what, verdict }] = unannounced;
    $("heard").textContent = unannounced.length === 1 ? `${what}: ${verdict}` : `${unannounced.length} new entries`;
    unannounced = [];
    announceTimer = 0;
  }, 1000);
}

/** The function called on each connection, before the log is read. */
let start = async () => {};
let listening = null;

function listen() {
  const events = openEvents();
  const setStatus = (text, state) => { $("live").textContent = text; $("live").className = `live ${state}`; };
  events.onopen = () => {
    setStatus("Live", "on");
    start().then(loadLog, () => {});
  };
  events.onerror = () => {
    events.close();
    setStatus("Not connected, retrying", "off");
    // An event stream does not report why it failed. A plain request reports errors, such as a missing token.
    if ($("token-form").hidden) get("").catch(() => {});
    listening = setTimeout(() => { listening = listen(); }, 1500);
  };
  events.addEventListener("entry", (event) => {
    const entry = JSON.parse(event.data);
    if (loading) loading.push(entry);
    else { put(entry, true); applyFilter(); }
    announce(entry);
    refreshSoon();
  });
  events.addEventListener("lagged", loadLog);
  return events;
}

export function relisten() {
  if (listening instanceof EventSource) listening.close();
  else clearTimeout(listening);
  listening = listen();
}

export function connect(starting) {
  start = starting;
  relisten();
}
