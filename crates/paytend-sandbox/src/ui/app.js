// The page of the sandbox. Whatever comes from elsewhere is put into the page as text, never as markup.

const $ = (id) => document.getElementById(id);
const hook = (name) => document.querySelector(`[data-testid="${name}"]`);

/** Makes an element: attributes, `on…` listeners, and children that are elements or text. */
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const LOG_KEPT = 1000;
const DELIVERIES_SHOWN = 200;
const TEXT_SHOWN = 200_000;

// In memory only: the token is gone when the page is.
let token = "";
let info = { partners: [], notifications: [], operations: [] };
let world = null;
let personal = false;
let clock = { now: 0, factor: 0, at: 0, nextDue: null };

// ---------------------------------------------------------------- Control interface

async function ask(path, method = "GET", body = undefined) {
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

const get = async (path) => JSON.parse(await ask(path));
const post = async (path, body = {}) =>
  JSON.parse(await ask(path, "POST", typeof body === "string" ? body : JSON.stringify(body)));

/** Runs what a control asked for, tells what went wrong, and looks at the world again. */
async function act(control, work) {
  const had = control?.disabled;
  if (control) control.disabled = true;
  try {
    await work();
  } catch (error) {
    toast(error.message, false);
  } finally {
    if (control) {
      const lost = document.activeElement === document.body;
      control.disabled = had;
      if (lost) control.focus();
    }
    refreshSoon();
  }
}

// ---------------------------------------------------------------- Messages

function toast(text, good = true) {
  const box = $("toasts");
  const line = `${good ? "Done: " : "Error: "}${text}`;
  for (const old of [...box.children]) if (old.firstChild.textContent === line) old.remove();
  const close = () => node.remove();
  const node = h("div", { class: `toast ${good ? "" : "failed"}`, "data-testid": "toast" },
    h("span", null, line),
    h("button", { type: "button", class: "small", "aria-label": "Close the message", onclick: close }, "Close"));
  box.append(node);
  while (box.children.length > 4) box.firstChild.remove();
  setTimeout(close, good ? 3500 : 10000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("copied");
  } catch {
    toast("the browser does not let the page copy here; mark the text instead", false);
  }
}

const copyButton = (text, what) =>
  h("button", { type: "button", class: "small", "aria-label": `Copy ${what}`, onclick: () => copy(text) }, "Copy");

// ---------------------------------------------------------------- Texts

function stamp(millis) {
  const date = new Date(millis);
  return Number.isNaN(date.getTime()) ? String(millis) : date.toISOString();
}
const moment = (millis) => stamp(millis).slice(0, 19).replace("T", " ");
const short = (millis) => stamp(millis).slice(5, 19).replace("T", " ");

function span(millis) {
  const seconds = Math.max(0, Math.round(millis / 1000));
  const parts = [[Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"], [seconds % 60, "s"]];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map((part) => part.join(" ")).join(" ");
}

const money = (amounts) => {
  const all = Object.entries(amounts ?? {});
  return all.length ? all.map(([currency, amount]) => `${amount} ${currency}`).join(", ") : "0.00";
};

/** What a notification is called, such as `Fund deposit notification` for `baas 2`. */
function title(what) {
  const [product, notifyType] = what.split(" ");
  if (what === "payby") return "PayBy";
  if (what === "payermax") return "PayerMax";
  return info.notifications.find((one) => one.product === product && one.notifyType === notifyType)?.title ?? "";
}

/** JSON with line breaks. Numbers and strings stay as they are written, unlike in a round trip through the parser. */
function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return [text];
  }
  const tokens = text.match(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  const nodes = [];
  let plain = "";
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, index) => {
    const next = tokens[index + 1];
    if (token === "{" || token === "[") {
      plain += token;
      if (next !== "}" && next !== "]") { depth += 1; plain += line(); }
    } else if (token === "}" || token === "]") {
      const before = tokens[index - 1];
      if (before !== "{" && before !== "[") { depth -= 1; plain += line(); }
      plain += token;
    } else if (token === ",") plain += token + line();
    else if (token === ":") plain += ": ";
    else if (next === ":") {
      nodes.push(plain, h("span", { class: "name" }, token));
      plain = "";
    } else plain += token;
  });
  return [...nodes, plain];
}

// ---------------------------------------------------------------- Faults that there are

const [CALL, NOTIFICATION, BOTH] = ["calls", "notifications", "both"];
const KINDS = [
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
const kindOf = (name) => KINDS.find(([kind]) => kind === name);
const faultText = (fault) => (fault.millis === undefined ? fault.kind : `${fault.kind} ${fault.millis} ms`);

// ---------------------------------------------------------------- Log

const log = $("log");
/** Entries by number, with their rows. */
const rows = new Map();
let filter = "all";
let selected = null;

function row(entry) {
  const mark = h("span", { class: `mark ${entry.good ? "good" : "bad"}`, "aria-hidden": "true" }, entry.good ? "✓" : "✕");
  const name = entry.kind === "delivery" ? title(entry.what) : "";
  const button = h("button", {
    type: "button", class: "entry", tabindex: "-1", "data-testid": "entry",
    "data-id": entry.id, "data-kind": entry.kind, "data-good": String(entry.good),
    onclick: () => open(entry.id),
  },
  mark,
  h("span", { class: "what", title: entry.what }, entry.what, name && h("span", { class: "muted" }, ` ${name}`)),
  h("time", { class: "at", datetime: stamp(entry.at), title: `${stamp(entry.at)} sandbox time` }, short(entry.at)),
  h("span", { class: "line" },
    h("span", { class: "muted" }, entry.kind === "delivery" ? `delivery ${entry.delivery ?? ""}` : "call"),
    h("span", { class: entry.good ? "good" : "bad" }, h("span", { class: "sr" }, entry.good ? "good: " : "failed: "), entry.verdict),
    entry.faults.map((fault) => h("span", { class: "chip" }, `fault ${faultText(fault)}`))));
  return h("li", null, button);
}

function matches(entry) {
  if (filter === "calls" && entry.kind !== "call") return false;
  if (filter === "deliveries" && entry.kind !== "delivery") return false;
  if (filter === "failures" && entry.good) return false;
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [entry.what, entry.kind, entry.verdict, entry.partner, entry.url ?? "", entry.status ?? "", title(entry.what),
    entry.delivery ? `delivery ${entry.delivery}` : "", ...entry.faults.map(faultText)].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

const visible = () => [...log.querySelectorAll("li:not([hidden]) > button")];

/** One row at a time can be tabbed to: the one that is open, else the newest. */
function rove(to) {
  log.querySelector('button[tabindex="0"]')?.setAttribute("tabindex", "-1");
  (to ?? visible()[0])?.setAttribute("tabindex", "0");
}

function sift() {
  let shown = 0;
  for (const { entry, node } of rows.values()) {
    node.hidden = !matches(entry);
    if (!node.hidden) shown += 1;
  }
  $("count").textContent = shown === rows.size ? `${rows.size}` : `${shown} of ${rows.size}`;
  const current = log.querySelector('button[tabindex="0"]');
  if (!current || current.parentElement.hidden) rove(rows.get(selected)?.node.hidden === false ? rows.get(selected).node.firstChild : null);
  $("log-empty").hidden = shown > 0;
  $("log-empty").textContent = rows.size > 0 ? "Nothing matches. Clear the search or show all."
    : "No calls yet. What is called or delivered appears here at once. The first steps are under Detail.";
}

function put(entry, fresh) {
  if (rows.has(entry.id)) return;
  const node = row(entry);
  if (fresh) node.firstChild.classList.add("fresh");
  rows.set(entry.id, { entry, node });
  log.prepend(node);
  if (rows.size > LOG_KEPT) {
    const [oldest] = rows.keys();
    rows.get(oldest).node.remove();
    rows.delete(oldest);
  }
}

let loading = null;
/** Reads the whole log. What the stream tells meanwhile is put after it. */
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
    // Another run of the sandbox counts from the beginning.
    if (before && now && now.entry.at === before.at && now.entry.what === before.what) mark();
    else if (selected !== null) close();
    sift();
    if (focused) rows.get(Number(focused))?.node.firstChild.focus();
  } catch (error) {
    toast(error.message, false);
  } finally {
    if (loading === meanwhile) loading = null;
  }
}

let unheard = [];
let hearing = 0;
/** Tells what is new to who listens, in one line a second at most. */
function announce(entry) {
  unheard.push(entry);
  hearing ||= setTimeout(() => {
    const [{ what, verdict }] = unheard;
    $("heard").textContent = unheard.length === 1 ? `${what}: ${verdict}` : `${unheard.length} new entries`;
    unheard = [];
    hearing = 0;
  }, 1000);
}

function listen() {
  const events = new EventSource(`/_sandbox/events${token ? `?token=${encodeURIComponent(token)}` : ""}`);
  const tell = (text, state) => { $("live").textContent = text; $("live").className = `live ${state}`; };
  events.onopen = () => {
    tell("Live", "on");
    start().then(loadLog, () => {});
  };
  events.onerror = () => {
    events.close();
    tell("Not connected, trying again", "off");
    // The stream does not say why: a plain request does, above all that a token is wanted.
    if ($("token-form").hidden) get("").catch(() => {});
    listening = setTimeout(() => { listening = listen(); }, 1500);
  };
  events.addEventListener("entry", (event) => {
    const entry = JSON.parse(event.data);
    if (loading) loading.push(entry);
    else { put(entry, true); sift(); }
    announce(entry);
    refreshSoon();
  });
  events.addEventListener("lagged", loadLog);
  return events;
}
let listening = null;

function relisten() {
  if (listening instanceof EventSource) listening.close();
  else clearTimeout(listening);
  listening = listen();
}

// ---------------------------------------------------------------- Detail

let formatted = true;

function mark() {
  for (const { node } of rows.values()) node.firstChild.removeAttribute("aria-current");
  const chosen = rows.get(selected)?.node.firstChild;
  chosen?.setAttribute("aria-current", "true");
  rove(chosen);
}

/** A titled text: formatted for reading or as it is; copied as it is. */
function block(name, text, hookName, absent) {
  const body = h("pre", { "data-testid": hookName, tabindex: "0", "aria-label": name });
  if (!text) {
    body.classList.add("none");
    body.append(absent);
    return h("div", { class: "block" }, h("div", { class: "block-head" }, h("h4", null, name)), body);
  }
  const cut = text.length > TEXT_SHOWN;
  const shown = cut ? text.slice(0, TEXT_SHOWN) : text;
  body.append(...(formatted && !cut ? pretty(shown) : [shown]));
  if (cut) body.append(`\n… the first ${TEXT_SHOWN} of ${text.length} characters. Copy takes all.`);
  return h("div", { class: "block" },
    h("div", { class: "block-head" }, h("h4", null, name), copyButton(text, name.toLowerCase())), body);
}

function explain(entry) {
  if (entry.kind === "call") return entry.good ? "The sandbox carried the call out." : "The sandbox refused the call.";
  if (entry.good) return "The receiver acknowledged the notification.";
  if (entry.status === null) return "The receiver gave no answer. Under Deliveries is when it is tried again.";
  return `The receiver answered with HTTP ${entry.status}, but not with the acknowledgement. Under Deliveries is when it is tried again.`;
}

async function open(id) {
  const known = rows.get(id);
  if (!known) return;
  selected = id;
  mark();
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
    if (selected === id) close();
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
    // PayBy and PayerMax do not encrypt: what goes over the wire is the contents.
    const open = revealed || payload === null || wire !== payload;
    return h("section", { "aria-label": heading },
      h("h3", null, heading),
      revealed && block("Payload, decrypted", payload, `${name}-payload`, "None."),
      revealed && block("Canonical string, which is signed", canonical, `${name}-canonical`, "None: not signed this way, or not authentic."),
      open && block("Wire", wire, `${name}-wire`, absent));
  };
  const view = (label, value) => h("button", {
    type: "button", "data-key": label, "aria-pressed": String(formatted === value), onclick: again(() => { formatted = value; }),
  }, label);
  $("first-steps").hidden = true;
  $("detail").replaceChildren(
    h("div", { class: "head" },
      h("h2", { tabindex: "-1" }, entry.what, call ? "" : h("span", { class: "muted" }, ` ${title(entry.what)}`)),
      h("div", { class: "buttons" },
        entry.delivery && h("button", { type: "button", class: "small", onclick: () => toDelivery(entry.delivery) }, `Delivery ${entry.delivery}`),
        h("button", { type: "button", class: "small", "data-testid": "detail-close", onclick: close }, "Close"))),
    h("p", { class: "meta num" },
      h("span", null, `${call ? "Call" : "Delivery attempt"}, entry ${entry.id}`),
      h("time", { datetime: stamp(entry.at) }, `${stamp(entry.at).replace("T", " ").replace("Z", "")} UTC`),
      entry.partner && h("span", null, `partner ${entry.partner}`),
      entry.status && h("span", null, `HTTP ${entry.status}`),
      entry.url && h("span", { class: "mono" }, entry.url)),
    h("div", { class: `verdict ${entry.good ? "" : "failed"}`, "data-testid": "verdict" },
      h("p", { class: `words ${entry.good ? "good" : "bad"}` }, `${entry.good ? "✓" : "✕"} ${entry.verdict}`),
      h("p", null, explain(entry)),
      entry.faults.map((fault) => h("p", null, h("span", { class: "chip" }, `fault ${faultText(fault)}`), ` ${kindOf(fault.kind)?.[3] ?? ""}`))),
    h("div", { class: "head" },
      h("div", { class: "buttons" },
        h("button", {
          type: "button", class: revealed ? "" : "primary", "data-testid": "reveal", "data-key": "reveal", "aria-expanded": String(revealed),
          onclick: again(() => { revealed = !revealed; }),
        }, revealed ? "Hide contents" : "Show contents"),
        h("span", { class: "hint" }, revealed ? "" : "Canonical string and payload can hold personal data and session keys.")),
      h("div", { class: "segments", role: "group", "aria-label": "Text" }, view("Formatted", true), view("Exact", false))),
    h("div", { class: "sides" },
      side("sent", call ? "Request" : "Notification", "Nothing was sent."),
      side("answered", call ? "Answer" : "Receiver's answer", "No answer.")));
}

function close() {
  const last = rows.get(selected)?.node.firstChild;
  selected = null;
  mark();
  $("detail").replaceChildren();
  $("first-steps").hidden = false;
  if (last && !last.parentElement.hidden) last.focus();
}

// ---------------------------------------------------------------- World

const partnerId = () => $("partner").value || info.partners[0];

let [refreshing, again, soon] = [false, false, 0];

function refreshSoon() {
  soon ||= setTimeout(() => { soon = 0; refresh(); }, 250);
}

async function refresh() {
  if (refreshing) { again = true; return; }
  refreshing = true;
  const shown = personal;
  const [state, sent, faults, time] = await Promise.allSettled(
    [get(`/state${personal ? "?personal=true" : ""}`), get("/deliveries"), get("/faults"), get("/clock")]);
  refreshing = false;
  const failed = [state, sent, faults, time].find((one) => one.status === "rejected");
  if (failed && $("live").classList.contains("on")) toast(failed.reason.message, false);
  // An answer with personal data that is not wanted any more is dropped.
  if (state.value && shown === personal) { world = state.value; showWorld(); }
  if (time.value) showClock(time.value);
  if (sent.value) showDeliveries(sent.value.deliveries);
  if (faults.value) showFaults(faults.value.faults);
  if (again) { again = false; refreshSoon(); }
}

function table(caption, columns, entries, empty) {
  const head = h("h3", null, `${caption} `, h("span", { class: "muted num" }, String(entries.length)));
  if (entries.length === 0) return [head, h("p", { class: "hint" }, empty)];
  return [head, h("div", { class: "table", role: "region", tabindex: "0", "aria-label": caption },
    h("table", null,
      h("thead", null, h("tr", null, columns.map(([name, , style]) => h("th", { scope: "col", class: style === "right-num" && style }, name)))),
      h("tbody", null, entries.map((entry) => h("tr", null, columns.map(([, of, style]) => h("td", { class: style }, String(of(entry) ?? "–"))))))))];
}

const words = (text) => (text ? String(text).replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`) : "–");

let drawn = "";
function showWorld() {
  const partner = world.partners[partnerId()];
  const conserves = hook("conserves");
  conserves.textContent = world.conserves ? "✓ conserved" : "✕ not conserved";
  conserves.className = world.conserves ? "good" : "bad";
  conserves.title = world.conserves ? "Nothing was made or lost: all ledgers add up to zero." : "Money was made or lost.";
  if (!partner) return;
  hook("funds").textContent = money(partner.funds);
  if (document.activeElement !== $("seed-currency") && !$("seed-currency").value) $("seed-currency").value = world.settings.currency ?? "";
  const drawing = JSON.stringify([partnerId(), partner, world.conserves]);
  if (drawing === drawn) return;
  drawn = drawing;
  const sum = (label, text) => h("div", { class: "sum" }, h("div", { class: "label" }, label), h("div", { class: "big" }, text));
  const files = (list) => (list?.length ? list.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join(", ") : "–");
  const accounts = partner.users.flatMap((user) => user.accounts.map((account) => ({ ...account, userId: user.userId })));
  $("state").replaceChildren(
    h("div", { class: "sums" }, sum("Funds", money(partner.funds)), sum("Fees taken", money(partner.fees)),
      h("div", { class: "sum" }, h("div", { class: "label" }, "Money"),
        h("div", { class: `big ${world.conserves ? "good" : "bad"}` }, world.conserves ? "✓ conserved" : "✕ not conserved"))),
    ...table("Cards", [["Card", (it) => it.cardId, "id"], ["Holder", (it) => it.holderId, "id"], ["State", (it) => words(it.state)],
      ["Balance", (it) => money(it.balance), "right-num"], ["Overdue", (it) => it.overdue, "right-num"],
      ["Scheme", (it) => it.scheme], ["Type", (it) => it.type], ["CVV", (it) => it.cvv, "id"]], partner.cards, "None. Call applyCard."),
    ...table("Accounts", [["Account", (it) => it.accountNum, "id"], ["User", (it) => it.userId, "id"],
      ["Balance", (it) => money(it.balance), "right-num"]], accounts, "None. They come with a user whose audit has passed."),
    ...table("Users", [["User", (it) => it.userId, "id"], ["State", (it) => words(it.state)], ["Audit", (it) => words(it.audit)],
      ["Standard", (it) => (it.standard ? "yes" : "no")], ["Mobile", (it) => it.mobile, "id"], ["Documents", (it) => files(it.documents)]],
    partner.users, "None. Call createIndividual or createCorporation."),
    ...table("Cardholders", [["Holder", (it) => it.holderId, "id"], ["Audit", (it) => words(it.audit)], ["Mobile", (it) => it.mobile, "id"],
      ["Email", (it) => it.email, "id"], ["Documents", (it) => (Array.isArray(it.documents) ? files(it.documents) : it.documents)]],
    partner.holders, "None. Call createCardholder."),
    ...table("Topups", [["Order", (it) => it.orderNo, "id"], ["Card", (it) => it.cardId, "id"],
      ["Amount", (it) => `${it.amount} ${it.currency}`, "right-num"], ["State", (it) => words(it.state)], ["At", (it) => moment(it.at)]],
    partner.topups, "None. Call topup."),
    ...table("Transfer orders", [["Order", (it) => it.orderNo, "id"], ["Amount", (it) => `${it.amount} ${it.currency}`, "right-num"],
      ["State", (it) => words(it.state)], ["User", (it) => it.userId, "id"], ["Transaction", (it) => it.transactionId, "id"],
      ["Files", (it) => (Array.isArray(it.files) ? files(it.files) : it.files)]],
    partner.transferOrders, "None. A large deposit makes one, or the trigger baas 8."));
  $("callbacks").replaceChildren(
    h("div", null, h("dt", null, "BaaS"), h("dd", { class: partner.callback ? "mono" : "muted" }, partner.callback ?? "None. Call setCallbackUrl.")),
    h("div", null, h("dt", null, "Issuing"), h("dd", { class: partner.issuingCallback ? "mono" : "muted" }, partner.issuingCallback ?? "The same as BaaS.")));
}

// ---------------------------------------------------------------- Deliveries

const STATES = {
  pending: ["● Pending", "warn"], acknowledged: ["✓ Acknowledged", "good"],
  givenUp: ["✕ Given up", "bad"], noUrl: ["✕ No callback URL", "bad"],
};
const shownDeliveries = new Map();

function attemptText({ at, status, acknowledged }) {
  return `${moment(at)}  ${status === null ? "no answer" : `HTTP ${status}`}, ${acknowledged ? "acknowledged" : "not acknowledged"}`;
}

function deliveryNode(id) {
  const told = h("div");
  const contents = h("div", { hidden: true });
  const button = h("button", { type: "button", class: "small", "aria-expanded": "false" }, "Show contents");
  button.addEventListener("click", () => act(button, async () => {
    if (contents.hidden) {
      const { content, wire } = await get(`/deliveries/${id}`);
      contents.replaceChildren(block("Content", content, "delivery-content", "None."), block("Wire of the last attempt", wire, "delivery-wire", "Nothing was sent yet."));
    } else contents.replaceChildren();
    contents.hidden = !contents.hidden;
    button.textContent = contents.hidden ? "Show contents" : "Hide contents";
    button.setAttribute("aria-expanded", String(!contents.hidden));
  }));
  return { node: h("li", { class: "delivery", tabindex: "-1", "data-testid": "delivery", "data-id": id }, told, button, contents), told, drawn: "" };
}

function showDeliveries(all) {
  const list = $("deliveries");
  const last = all.slice(-DELIVERIES_SHOWN).reverse();
  const ids = new Set(last.map((one) => one.id));
  for (const [id, { node }] of shownDeliveries) if (!ids.has(id)) { node.remove(); shownDeliveries.delete(id); }
  let before = null;
  for (const delivery of last) {
    let known = shownDeliveries.get(delivery.id);
    // After a reset the numbers begin again: what was open belongs to another one.
    if (known?.madeAt !== delivery.madeAt) {
      known?.node.remove();
      known = { ...deliveryNode(delivery.id), madeAt: delivery.madeAt };
      shownDeliveries.set(delivery.id, known);
    }
    // In place, so that what has the focus keeps it.
    const place = before ? before.nextSibling : list.firstChild;
    if (place !== known.node) list.insertBefore(known.node, place);
    before = known.node;
    const drawing = JSON.stringify(delivery);
    if (drawing === known.drawn) continue;
    known.drawn = drawing;
    const [state, style] = STATES[delivery.state] ?? [delivery.state, ""];
    known.node.dataset.state = delivery.state;
    known.told.replaceChildren(
      h("p", { class: "first" },
        h("span", null, h("span", { class: "num muted" }, `${delivery.id}  `), h("span", { class: "name-of" }, delivery.what), ` ${title(delivery.what)}`),
        h("span", { class: style }, state)),
      h("p", { class: "url mono muted" }, delivery.url ?? "Nowhere to send it: set a callback URL, see World."),
      h("ol", null,
        h("li", { class: "muted" }, `${moment(delivery.madeAt)}  made`),
        delivery.attempts.map((attempt) => h("li", { class: attempt.acknowledged ? "good" : "bad" }, attemptText(attempt))),
        delivery.nextAt && h("li", { class: "warn" }, `${moment(delivery.nextAt)}  next attempt, `, h("span", { "data-due": delivery.nextAt }))));
  }
  const pending = all.filter((one) => one.state === "pending").length;
  $("pending").textContent = `${pending} pending`;
  $("pending").hidden = pending === 0;
  $("deliveries-empty").hidden = all.length > 0;
  $("deliveries-cut").textContent = all.length > DELIVERIES_SHOWN ? `the last ${DELIVERIES_SHOWN} of ${all.length}` : "";
  tick();
}

async function toDelivery(id) {
  show("deliveries");
  await refresh();
  for (const { node } of shownDeliveries.values()) node.classList.remove("marked");
  const node = shownDeliveries.get(id)?.node;
  node?.classList.add("marked");
  node?.scrollIntoView({ block: "nearest" });
  node?.focus({ preventScroll: true });
}

// ---------------------------------------------------------------- Triggers

/** Fields that the sandbox looks at itself, or writes. */
const FIELDS = {
  "baas 1": "accountNum, userId", "baas 2": "amount, currency, accountNum", "baas 3": "userId, auditStatus: 1–3",
  "baas 4": "orderNo", "baas 6": "userId", "baas 8": "amount, currency, userId, transactionId",
  "issuing 1": "cardId, amount, transactionType: 1, 2", "issuing 2": "holderId, status: 1–3", "issuing 3": "orderNo, status",
};

function drawTriggers() {
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
  $("providers").replaceChildren(button("payby", null, "PayBy notification"), button("payermax", null, "PayerMax notification"));
}

function trigger(control, product, notifyType) {
  const text = $("trigger-content").value.trim();
  const problem = $("trigger-problem");
  problem.textContent = "";
  if (text) {
    try {
      const value = JSON.parse(text);
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("it is not an object");
    } catch (error) {
      problem.textContent = `The overrides are not a JSON object: ${error.message}`;
      $("trigger-content").focus();
      return;
    }
  }
  const wanted = { partner: partnerId(), product, notifyType: notifyType ?? undefined };
  if (!notifyType) {
    wanted.url = $("trigger-url").value.trim();
    if (!wanted.url) {
      toast("PayBy and PayerMax need a URL", false);
      $("trigger-url").focus();
      return;
    }
  }
  // The overrides go as they are typed: 25.00 stays 25.00.
  const body = JSON.stringify(wanted);
  act(control, async () => {
    const { deliveries } = await post("/trigger", text ? `${body.slice(0, -1)},"content":${text}}` : body);
    toast(deliveries.length ? `made delivery ${deliveries.join(", ")}` : "nothing had to be told");
  });
}

// ---------------------------------------------------------------- Faults

function drawFaultForm() {
  const group = (label, which) => h("optgroup", { label },
    KINDS.filter(([, where]) => where === which).map(([kind]) => h("option", { value: kind }, kind)));
  $("fault-kind").replaceChildren(group("Calls", CALL), group("Notifications", NOTIFICATION), group("Calls and notifications", BOTH));
  faultHint();
}

function drawTargets() {
  const all = ["*", ...new Set(info.operations.map((one) => one.name)), "notify *",
    ...info.notifications.map((one) => `notify ${one.product} ${one.notifyType}`), "notify payby", "notify payermax"];
  $("targets").replaceChildren(...all.map((value) => h("option", { value }, title(value.replace("notify ", "")))));
}

function faultHint() {
  const [, where, millis, text] = kindOf($("fault-kind").value);
  const on = where === BOTH ? "calls and notifications" : where;
  $("fault-hint").textContent = `${text} For ${on}.`;
  $("fault-millis").disabled = !millis;
}

function addFault(event) {
  event.preventDefault();
  const problem = $("fault-problem");
  const on = $("fault-on").value.trim();
  const [kind, where, millis] = kindOf($("fault-kind").value);
  const whole = (id) => (/^-?\d+$/.test($(id).value.trim()) ? Number($(id).value) : NaN);
  const percent = whole("fault-percent");
  const times = $("fault-times").value.trim() === "" ? null : whole("fault-times");
  const delay = whole("fault-millis");
  const wrong = () => {
    if (!on) return ["fault-on", "Say on which operation or notification."];
    if (where === CALL && on.startsWith("notify ")) return ["fault-kind", `${kind} is for calls: choose an operation.`];
    if (where === NOTIFICATION && !on.startsWith("notify ")) return ["fault-on", `${kind} is for notifications: choose one that begins with “notify”.`];
    if (millis && (Number.isNaN(delay) || (delay < 0 && kind !== "clockSkew"))) return ["fault-millis", "Milliseconds are a whole number; only clockSkew takes one below zero."];
    if (!(percent >= 0 && percent <= 100)) return ["fault-percent", "Percent is a whole number from 0 to 100."];
    if (times !== null && !(times >= 1)) return ["fault-times", "Times is a whole number from 1, or empty for always."];
    return null;
  };
  const found = wrong();
  problem.textContent = found?.[1] ?? "";
  if (found) { $(found[0]).focus(); return; }
  act(hook("fault-add"), async () => {
    showFaults((await post("/faults", { on, fault: millis ? { kind, millis: delay } : { kind }, percent, times })).faults);
    toast(`${kind} on ${on} is set`);
  });
}

function showFaults(faults) {
  $("faults").replaceChildren(...faults.map(({ on, fault, percent, times }) => h("li", null,
    h("span", { class: "mono" }, on), " ", h("span", { class: "chip" }, faultText(fault)),
    ` ${percent < 100 ? `${percent} percent of the time, ` : ""}${times === null || times === undefined ? "always" : times === 1 ? "once" : `${times} times more`}`)));
  $("faults-set").textContent = `${faults.length} set`;
  $("faults-set").hidden = faults.length === 0;
  $("faults-empty").hidden = faults.length > 0;
  $("faults-clear").disabled = faults.length === 0;
}

// ---------------------------------------------------------------- Time

const now = () => clock.now + (performance.now() - clock.at) * clock.factor;

function showClock({ now: at, pace, nextDue }) {
  const factor = pace === "real" ? 1 : pace === "frozen" ? 0 : pace.accelerated;
  clock = { now: at, factor, at: performance.now(), nextDue };
  const value = typeof pace === "string" ? pace : String(pace.accelerated);
  const select = $("pace");
  if (![...select.options].some((option) => option.value === value)) select.append(h("option", { value }, `×${value}`));
  if (document.activeElement !== select) select.value = value;
  $("pace-now").textContent = pace === "real" ? "" : pace === "frozen" ? "frozen" : `×${factor}`;
  tick();
}

function tick() {
  if (!clock.at) return;
  const at = now();
  const text = moment(at);
  hook("now").textContent = text;
  hook("now").dateTime = stamp(at);
  $("now-long").textContent = `${text} UTC`;
  $("next-due").textContent = clock.nextDue === null ? "nothing" : `${moment(clock.nextDue)} UTC, in ${span(clock.nextDue - at)}`;
  for (const node of document.querySelectorAll("[data-due]")) {
    const left = Number(node.dataset.due) - at;
    node.textContent = left > 0 ? `in ${span(left)}` : "now";
  }
}

/** Days and weeks as hours: the sandbox takes hours and less. */
function inHours(text) {
  if (/^\s*[+-]?p/i.test(text)) return text;
  let hours = 0;
  const rest = text.replace(/(\d+)\s*(weeks?|w|days?|d|hours?|hrs?|h)(?![a-z])[\s,]*/gi, (_, count, unit) => {
    hours += Number(count) * { w: 168, d: 24, h: 1 }[unit[0].toLowerCase()];
    return "";
  }).trim();
  return hours > 0 ? `${hours}h ${rest}`.trim() : text;
}

const advance = (control, by, words) => act(control, async () => {
  showClock(await post("/clock/advance", { by: inHours(by) }));
  toast(`it is ${words} later`);
});

// ---------------------------------------------------------------- Keys, export, reset

async function showKeys() {
  const keys = await get("/keys");
  const names = { paytend: "Paytend", payby: "PayBy", payermax: "PayerMax" };
  $("keys").replaceChildren(...Object.entries(names).map(([key, name]) => block(name, keys[key], `key-${key}`, "None.")));
}

async function exportWorld() {
  const text = await ask("/export");
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  h("a", { href: url, download: `sandbox-${moment(now()).replace(/[: ]/g, "-")}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function askReset(asking) {
  $("reset-ask").hidden = !asking;
  $("reset").hidden = asking;
  (asking ? $("reset-no") : $("reset")).focus();
}

// ---------------------------------------------------------------- Tabs, theme, keyboard

const tabs = [...document.querySelectorAll('[role="tab"]')];
const narrow = () => matchMedia("(max-width: 860px)").matches;

function show(name) {
  for (const tab of tabs) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (name === "world") showKeys().catch((error) => toast(error.message, false));
}

function tabKeys(event) {
  const at = tabs.indexOf(event.target.closest('[role="tab"]'));
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  const tab = tabs[(to + tabs.length) % tabs.length];
  tab.focus();
  show(tab.id.slice(4));
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function showTheme() {
  $("theme").textContent = isDark() ? "Light" : "Dark";
  $("theme").setAttribute("aria-label", isDark() ? "Light theme" : "Dark theme");
}

function keyboard(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const search = $("search");
  if (event.key === "Escape") {
    if (!$("reset-ask").hidden) askReset(false);
    else if (document.activeElement === search) {
      search.value = "";
      sift();
      (rows.get(selected)?.node.firstChild ?? visible()[0] ?? $("work")).focus();
    } else if (selected !== null) close();
    return;
  }
  const typing = event.target.closest?.("input, textarea, select");
  if (typing && !(typing === search && event.key === "ArrowDown")) return;
  if (event.key === "/") {
    event.preventDefault();
    search.focus();
    search.select();
    return;
  }
  const inList = log.contains(document.activeElement) || typing === search;
  const down = event.key === "j" || (inList && event.key === "ArrowDown");
  const up = event.key === "k" || (inList && event.key === "ArrowUp");
  if (!down && !up) return;
  const all = visible();
  if (all.length === 0) return;
  event.preventDefault();
  let at = all.indexOf(document.activeElement);
  if (at < 0 && !typing) at = all.findIndex((one) => one.getAttribute("aria-current") === "true");
  const to = at < 0 ? 0 : at + (down ? 1 : -1);
  const next = all[Math.min(all.length - 1, Math.max(0, to))];
  rove(next);
  next.focus();
}

// ---------------------------------------------------------------- Start

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return false;
  token = given;
  // Out of the address bar, the history and pictures of the screen.
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

let partners = "";
/** What does not change while the sandbox runs; read again whenever the stream is. */
async function start() {
  try {
    info = await get("");
  } catch (error) {
    toast(error.message, false);
    throw error;
  }
  $("token-form").hidden = true;
  $("version").textContent = info.version;
  if (partners !== info.partners.join()) {
    partners = info.partners.join();
    $("partner").replaceChildren(...info.partners.map((id) => h("option", { value: id }, id)));
    $("partner").disabled = info.partners.length < 2;
  }
  if (!$("triggers").contains(document.activeElement)) drawTriggers();
  drawTargets();
  refreshSoon();
}

function bind() {
  const on = (id, event, listener) => $(id).addEventListener(event, listener);
  const form = (id, work) => on(id, "submit", (event) => { event.preventDefault(); work(event.target.querySelector("button")); });

  document.addEventListener("keydown", keyboard);
  window.addEventListener("hashchange", () => { if (takeToken()) relisten(); });
  form("token-form", () => { token = $("token").value.trim(); $("token").value = ""; relisten(); });
  on("partner", "change", () => { if (world) showWorld(); });
  on("theme", "click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("theme", theme); } catch { /* it lasts as long as the page then */ }
    showTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);

  on("search", "input", sift);
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.addEventListener("click", () => {
      filter = button.dataset.filter;
      for (const other of document.querySelectorAll("[data-filter]")) other.setAttribute("aria-pressed", String(other === button));
      sift();
    });
  }
  for (const tab of tabs) tab.addEventListener("click", () => show(tab.id.slice(4)));
  document.querySelector('[role="tablist"]').addEventListener("keydown", tabKeys);

  on("personal", "click", () => {
    personal = !personal;
    $("personal").setAttribute("aria-pressed", String(personal));
    $("personal").textContent = personal ? "Hide personal data" : "Show personal data";
    refresh();
  });

  drawFaultForm();
  on("fault-kind", "change", faultHint);
  on("fault-form", "submit", addFault);
  on("fault-once", "click", () => { $("fault-times").value = "1"; });
  on("fault-always", "click", () => { $("fault-times").value = ""; });
  on("faults-clear", "click", () => act(null, async () => showFaults(JSON.parse(await ask("/faults", "DELETE")).faults)));

  for (const it of document.querySelectorAll("[data-by]")) it.addEventListener("click", () => advance(it, it.dataset.by, it.textContent));
  form("advance-form", (button) => {
    const by = $("advance-by").value.trim();
    if (by) advance(button, by, by);
    else { toast("say by how much, such as 90s or 3 days", false); $("advance-by").focus(); }
  });
  on("pace", "change", () => act(null, async () => {
    const value = $("pace").value;
    showClock(await post("/clock", { pace: /^\d+$/.test(value) ? { accelerated: Number(value) } : value }));
  }));

  form("callback-form", (button) => act(button, async () => {
    await post("/seed", { partner: partnerId(), issuingCallback: $("issuing-callback").value.trim() });
    toast("Issuing's callback URL is set");
  }));
  form("seed-form", (button) => act(button, async () => {
    const funds = $("seed-funds").value.trim();
    const currency = $("seed-currency").value.trim().toUpperCase() || undefined;
    await post("/seed", { partner: partnerId(), funds, currency });
    toast(`${funds} ${currency ?? ""} added to the funds`);
  }));
  on("rotate", "click", () => act($("rotate"), async () => {
    await post("/keys/rotate");
    await showKeys();
    toast("Paytend has a new key");
  }));
  on("export", "click", () => act($("export"), exportWorld));
  on("import", "change", () => act($("import"), async () => {
    const [file] = $("import").files;
    if (!file) return;
    const text = await file.text();
    $("import").value = "";
    await post("/import", text);
    toast(`${file.name} imported`);
  }));
  on("reset", "click", () => askReset(true));
  on("reset-no", "click", () => askReset(false));
  on("reset-yes", "click", () => act($("reset-yes"), async () => {
    await post("/reset");
    askReset(false);
    toast("everything is as at the beginning");
  }));
}

try {
  const theme = localStorage.getItem("theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch { /* as the system has it */ }
showTheme();
for (const node of document.querySelectorAll(".base")) node.textContent = location.origin;
takeToken();
bind();
show("detail");
sift();
relisten();
setInterval(tick, 250);
// Others may change the world too, in ways that the log does not tell.
setInterval(() => { if (!document.hidden && $("live").classList.contains("on")) refreshSoon(); }, 10_000);
