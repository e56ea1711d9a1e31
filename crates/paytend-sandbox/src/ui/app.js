// The sandbox's web page. Data from the sandbox is inserted as text, never as markup.
import { takeToken, useToken } from "./api.js";
import { bindBalances, showState } from "./balances.js";
import { info, readInfo, showPartners } from "./catalogue.js";
import { showDeliveries } from "./deliveries.js";
import { openEntry } from "./detail.js";
import { $, onSubmit, toast } from "./dom.js";
import { bindFaults, drawTargets, showFaults } from "./faults.js";
import { keyboard } from "./keyboard.js";
import { bindLog, applyFilter } from "./log.js";
import { refreshSoon, showWith } from "./refresh.js";
import { connect, relisten } from "./stream.js";
import { bindTabs, show } from "./tabs.js";
import { bindTime, showClock, tick } from "./time.js";
import { drawTriggers } from "./triggers.js";
import { bindWorld } from "./world.js";

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function showTheme() {
  $("theme").textContent = isDark() ? "Light" : "Dark";
  $("theme").setAttribute("aria-label", isDark() ? "Light theme" : "Dark theme");
}

/** Loads the data that does not change while the sandbox runs. Called on each connection. */
async function start() {
  try {
    await readInfo();
  } catch (error) {
    toast(error.message, false);
    throw error;
  }
  $("token-form").hidden = true;
  $("version").textContent = info.version;
  showPartners();
  if (!$("triggers").contains(document.activeElement)) drawTriggers();
  drawTargets();
  refreshSoon();
}

function bind() {
  document.addEventListener("keydown", keyboard);
  window.addEventListener("hashchange", () => { if (takeToken()) relisten(); });
  onSubmit("token-form", () => { useToken($("token").value.trim()); $("token").value = ""; relisten(); });
  $("theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    // If the browser has no storage, the chosen theme is kept until the page is closed.
    try { localStorage.setItem("theme", theme); } catch { /* no storage */ }
    showTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);

  bindLog(openEntry);
  bindTabs();
  bindBalances();
  bindFaults();
  bindTime();
  bindWorld();
}

try {
  const theme = localStorage.getItem("theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch { /* If the browser has no storage, the system's theme is used. */ }
showTheme();
for (const node of document.querySelectorAll(".base")) node.textContent = location.origin;
takeToken();
bind();
showWith({ state: showState, clock: showClock, deliveries: showDeliveries, faults: showFaults });
show("detail");
applyFilter();
connect(start);
setInterval(tick, 250);
// Refresh every ten seconds, because other clients may change the state without a log entry.
setInterval(() => { if (!document.hidden && $("live").classList.contains("on")) refreshSoon(); }, 10_000);
