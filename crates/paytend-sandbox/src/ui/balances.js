// The Balances tab: funds, and a partner's state.
import { partnerId } from "./catalogue.js";
import { $, h, hook } from "./dom.js";
import { refresh, wanted } from "./refresh.js";
import { moment, money, words } from "./text.js";

let world = null;

function table(caption, columns, entries, empty) {
  const head = h("h3", null, `${caption} `, h("span", { class: "muted num" }, String(entries.length)));
  if (entries.length === 0) return [head, h("p", { class: "hint" }, empty)];
  const heading = ([name, , style]) => h("th", { scope: "col", class: style === "right-num" && style }, name);
  const cells = (entry) => columns.map(([, value, style]) => h("td", { class: style }, String(value(entry) ?? "–")));
  return [head, h("div", { class: "table", role: "region", tabindex: "0", "aria-label": caption },
    h("table", null,
      h("thead", null, h("tr", null, columns.map(heading))),
      h("tbody", null, entries.map((entry) => h("tr", null, cells(entry))))))];
}

function sum(label, text, style) {
  return h("div", { class: "sum" },
    h("div", { class: "label" }, label), h("div", { class: `big ${style ?? ""}` }, text));
}

function files(list) {
  if (!Array.isArray(list)) return list;
  return list.length ? list.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join(", ") : "–";
}

function callback(product, url, absent) {
  return h("div", null, h("dt", null, product), h("dd", { class: url ? "mono" : "muted" }, url ?? absent));
}

let drawn = "";
function showWorld() {
  const partner = world.partners[partnerId()];
  const conserves = hook("conserves");
  const [verdict, style] = world.conserves ? ["✓ conserved", "good"] : ["✕ not conserved", "bad"];
  conserves.textContent = verdict;
  conserves.className = style;
  conserves.title = world.conserves
    ? "No money was created or lost: the balances of each currency add up to zero." : "Money was created or lost.";
  if (!partner) return;
  hook("funds").textContent = money(partner.funds);
  const currency = $("seed-currency");
  if (document.activeElement !== currency && !currency.value) currency.value = world.settings.currency ?? "";
  const drawing = JSON.stringify([partnerId(), partner, world.conserves]);
  if (drawing === drawn) return;
  drawn = drawing;
  const accounts = partner.users.flatMap((user) =>
    user.accounts.map((account) => ({ ...account, userId: user.userId })));
  $("state").replaceChildren(
    h("div", { class: "sums" }, sum("Funds", money(partner.funds)), sum("Fees charged", money(partner.fees)),
      sum("Money", verdict, style)),
    ...table("Cards", [["Card", (it) => it.cardId, "id"], ["Holder", (it) => it.holderId, "id"],
      ["State", (it) => words(it.state)], ["Balance", (it) => money(it.balance), "right-num"],
      ["Overdue", (it) => it.overdue, "right-num"], ["Scheme", (it) => it.scheme], ["Type", (it) => it.type],
      ["CVV", (it) => it.cvv, "id"]], partner.cards, "None. Call applyCard to get a card."),
    ...table("Accounts", [["Account", (it) => it.accountNum, "id"], ["User", (it) => it.userId, "id"],
      ["Balance", (it) => money(it.balance), "right-num"]],
    accounts, "None. An account is opened when a user passes the audit."),
    ...table("Users", [["User", (it) => it.userId, "id"], ["State", (it) => words(it.state)],
      ["Audit", (it) => words(it.audit)], ["Standard", (it) => (it.standard ? "yes" : "no")],
      ["Mobile", (it) => it.mobile, "id"], ["Documents", (it) => files(it.documents)]],
    partner.users, "None. Call createIndividual or createCorporation to create a user."),
    ...table("Cardholders", [["Holder", (it) => it.holderId, "id"], ["Audit", (it) => words(it.audit)],
      ["Mobile", (it) => it.mobile, "id"], ["Email", (it) => it.email, "id"],
      ["Documents", (it) => files(it.documents)]],
    partner.holders, "None. Call createCardholder to create a cardholder."),
    ...table("Topups", [["Order", (it) => it.orderNo, "id"], ["Card", (it) => it.cardId, "id"],
      ["Amount", (it) => `${it.amount} ${it.currency}`, "right-num"], ["State", (it) => words(it.state)],
      ["At", (it) => moment(it.at)]],
    partner.topups, "None. Call topup to top up a card."),
    ...table("Transfer orders", [["Order", (it) => it.orderNo, "id"],
      ["Amount", (it) => `${it.amount} ${it.currency}`, "right-num"], ["State", (it) => words(it.state)],
      ["User", (it) => it.userId, "id"], ["Transaction", (it) => it.transactionId, "id"],
      ["Files", (it) => files(it.files)]],
    partner.transferOrders, "None. A large deposit or the trigger baas 8 creates a transfer order."));
  $("callbacks").replaceChildren(
    callback("BaaS", partner.callback, "None. Call setCallbackUrl to set it."),
    callback("Issuing", partner.issuingCallback, "None. Set it below."),
    callback("PayBy", partner.paybyCallback, "None. Set it below."),
    callback("PayerMax", partner.payermaxCallback, "None. Set it below."));
}

export function showState(state) {
  world = state;
  showWorld();
}

export function bindBalances() {
  $("partner").addEventListener("change", () => { if (world) showWorld(); });
  $("personal").addEventListener("click", () => {
    wanted.personal = !wanted.personal;
    $("personal").setAttribute("aria-pressed", String(wanted.personal));
    $("personal").textContent = wanted.personal ? "Hide personal data" : "Show personal data";
    refresh();
  });
}
