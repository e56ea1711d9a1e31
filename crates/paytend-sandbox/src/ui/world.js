// The World tab: callbacks, funds, keys, export, import and reset.
import { ask, get, post } from "./api.js";
import { partnerId } from "./catalogue.js";
import { $, h, onSubmit, toast } from "./dom.js";
import { act } from "./refresh.js";
import { whenShown } from "./tabs.js";
import { block, moment } from "./text.js";
import { now } from "./time.js";

async function showKeys() {
  const keys = await get("/keys");
  const names = { paytend: "Paytend", payby: "PayBy", payermax: "PayerMax" };
  $("keys").replaceChildren(
    ...Object.entries(names).map(([key, name]) => block(name, keys[key], `key-${key}`, "None.")));
}

async function exportWorld() {
  const text = await ask("/export");
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  h("a", { href: url, download: `sandbox-${moment(now()).replace(/[: ]/g, "-")}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function askReset(asking) {
  $("reset-ask").hidden = !asking;
  $("reset").hidden = asking;
  (asking ? $("reset-no") : $("reset")).focus();
}

export function bindWorld() {
  const on = (id, event, listener) => $(id).addEventListener(event, listener);

  whenShown("world", () => showKeys().catch((error) => toast(error.message, false)));
  onSubmit("callback-form", (button) => act(button, async () => {
    const product = $("callback-product");
    await post("/callback", { partner: partnerId(), product: product.value, url: $("callback-url").value.trim() });
    toast(`the callback URL for ${product.selectedOptions[0].textContent} is set`);
  }));
  onSubmit("seed-form", (button) => act(button, async () => {
    const funds = $("seed-funds").value.trim();
    const currency = $("seed-currency").value.trim().toUpperCase() || undefined;
    await post("/seed", { partner: partnerId(), funds, currency });
    toast(`added ${funds} ${currency ?? ""} to the funds`);
  }));
  on("rotate", "click", () => act($("rotate"), async () => {
    await post("/keys/rotate");
    await showKeys();
    toast("Paytend's key was rotated");
  }));
  on("export", "click", () => act($("export"), exportWorld));
  on("import", "change", () => act($("import"), async () => {
    const [file] = $("import").files;
    if (!file) return;
    const text = await file.text();
    $("import").value = "";
    await post("/import", text);
    toast(`imported ${file.name}`);
  }));
  on("reset", "click", () => askReset(true));
  on("reset-no", "click", () => askReset(false));
  on("reset-yes", "click", () => act($("reset-yes"), async () => {
    await post("/reset");
    askReset(false);
    toast("the sandbox was reset");
  }));
}
