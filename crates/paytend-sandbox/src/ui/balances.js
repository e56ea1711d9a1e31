// Balances and state: the funds, and what a partner has.
import { partnerId } from "./catalogue.js";
import { $, h, hook } from "./dom.js";
import { refresh, wanted } from "./refresh.js";
import { moment, money, words } from "./text.js";

let world = null;

function table(caption, columns, entries, empty) {
  const head = h("h3", null, `${caption} `, h("span", { class: "muted num" }, String(entries.length)));
  if (entries.length === 0) return [head, h("p", { class: "hint" }, empty)];
  return [head, h("div", { class: "table", role: "region", tabindex: "0", "aria-label": caption },
    h("table", null,
      h("thead", null, h("tr", null, columns.map(([name, , style]) => h("th", { scope: "col", class: style === "right-num" && style }, name)))),
      h("tbody", null, entries.map((entry) => h("tr", null, columns.map(([, of, style]) => h("td", { class: style }, String(of(entry) ?? "–"))))))))];
}

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
