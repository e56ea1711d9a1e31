// Formatting of times, amounts and documents.
import { copyButton, h } from "./dom.js";

const MAX_TEXT_LENGTH = 200_000;
/** Whether documents are formatted or shown exactly as sent. */
export const reading = { formatted: true };

export function stamp(millis) {
  const date = new Date(millis);
  return Number.isNaN(date.getTime()) ? String(millis) : date.toISOString();
}
export const moment = (millis) => stamp(millis).slice(0, 19).replace("T", " ");
export const short = (millis) => stamp(millis).slice(5, 19).replace("T", " ");

export function span(millis) {
  const seconds = Math.max(0, Math.round(millis / 1000));
  const parts = [[Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"], [seconds % 60, "s"]];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map((part) => part.join(" ")).join(" ");
}

export const money = (amounts) => {
  const all = Object.entries(amounts ?? {});
  return all.length ? all.map(([currency, amount]) => `${amount} ${currency}`).join(", ") : "0.00";
};

export const words = (text) => (text ? String(text).replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`) : "–");

/** Formats JSON with line breaks. Numbers and strings are kept exactly as written. */
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

/** Returns a titled block of text, formatted or exactly as sent. Its Copy button always copies the exact text. */
export function block(name, text, hookName, absent) {
  const body = h("pre", { "data-testid": hookName, tabindex: "0", "aria-label": name });
  if (!text) {
    body.classList.add("none");
    body.append(absent);
    return h("div", { class: "block" }, h("div", { class: "block-head" }, h("h4", null, name)), body);
  }
  const cut = text.length > MAX_TEXT_LENGTH;
  const shown = cut ? text.slice(0, MAX_TEXT_LENGTH) : text;
  body.append(...(reading.formatted && !cut ? pretty(shown) : [shown]));
  if (cut) {
    body.append(`\n… the first ${MAX_TEXT_LENGTH} of ${text.length} characters. Use Copy to copy the whole text.`);
  }
  return h("div", { class: "block" },
    h("div", { class: "block-head" }, h("h4", null, name), copyButton(text, name.toLowerCase())), body);
}
