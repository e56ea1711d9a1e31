// Helpers for elements and messages. Data from the sandbox is inserted as text, never as markup.

export const $ = (id) => document.getElementById(id);
export const hook = (name) => document.querySelector(`[data-testid="${name}"]`);

/** Creates an element with attributes, `on…` listeners, and children that are elements or text. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function toast(text, good = true) {
  const box = $("toasts");
  const line = `${good ? "Done: " : "Error: "}${text}`;
  for (const old of [...box.children]) if (old.firstChild.textContent === line) old.remove();
  const close = () => node.remove();
  const node = h("div", { class: `toast ${good ? "" : "failed"}`, "data-testid": "toast" },
    h("span", null, line),
    h("button", { type: "button", class: "small", "aria-label": "Close message", onclick: close }, "Close"));
  box.append(node);
  while (box.children.length > 4) box.firstChild.remove();
  setTimeout(close, good ? 3500 : 10000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("copied");
  } catch {
    toast("the browser does not allow copying here; select the text and copy it manually", false);
  }
}

export const copyButton = (text, what) =>
  h("button", { type: "button", class: "small", "aria-label": `Copy ${what}`, onclick: () => copy(text) }, "Copy");

/** Calls `work` with a form's button when the form is submitted. */
export function onSubmit(id, work) {
  $(id).addEventListener("submit", (event) => { event.preventDefault(); work(event.target.querySelector("button")); });
}
