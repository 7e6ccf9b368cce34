// Elements are made here and nowhere else: what a shop's data says becomes text nodes, never markup.

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "open", "required"]);

/** An element. attributes: strings, booleans, `on…` listeners, `class`, `data` {…}; children: nodes, text, lists. */
export function h(tag, attributes = {}, ...children) {
  const element = tag === "svg" || tag === "path" || tag === "circle"
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** Tell those who cannot see that the page changed. */
export function say(text) {
  const place = byId("said");
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
}

/** A line for each word that no product has: what it was read as. */
export const readAs = (words) => Object.entries(words ?? {}).map(([word, read]) => h("p", { class: "note" }, `No product has “${word}”: searched for “${read}”.`));

/** What of the request changed nothing, by its place there. */
export const unheard = (ignored) => Object.entries(ignored ?? {}).map(([place, values]) => h("p", { class: "note" }, place === "photo" ? `Your photo changes nothing: ${values.join(", ")}.` : `Filter ${place.replace("filters.", "")}: no product has ${values.map((value) => `“${value}”`).join(", ")}.`));

export function icon(name) {
  const paths = {
    search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 21 21",
    camera: "M4 8h3l2-3h6l2 3h3v12H4zM12 17a4 4 0 1 0 0-8 4 4 0 0 0 0 8z",
    close: "M6 6l12 12M18 6 6 18",
    filter: "M4 6h16M7 12h10M10 18h4",
  };
  return h("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, h("path", { d: paths[name] }));
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
export const count = (value) => whole.format(value);
export const price = (value) => (value === null || value === undefined ? "" : money.format(value));
export const plural = (value, one, many) => `${count(value)} ${value === 1 ? one : many}`;
