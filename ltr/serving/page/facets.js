// Filters and their counts, as a column of groups; the address holds what is chosen.

import { count, h, icon, price } from "./dom.js";
import { go, here } from "./state.js";

const OWN = new Set(["q", "sort", "page", "low", "high", "against"]);
const FIRST = 8; // values shown before the rest is asked for

/** The filters of the address, as the API takes them. */
export function filters(params) {
  const found = {};
  for (const name of new Set(params.keys())) if (!OWN.has(name)) found[name] = params.getAll(name);
  const low = params.get("low"), high = params.get("high");
  if (low || high) found.price = { ...(low ? { min: Number(low) } : {}), ...(high ? { max: Number(high) } : {}) };
  return found;
}

function change(edit) {
  const { params } = here();
  edit(params);
  params.delete("page");
  go("search", params);
}

const toggle = (name, value) => change((params) => {
  const kept = params.getAll(name).filter((one) => one !== value);
  if (kept.length === params.getAll(name).length) kept.push(value);
  params.delete(name);
  kept.forEach((one) => params.append(name, one));
});

export const clear = () => change((params) => {
  for (const name of [...params.keys()]) if (name !== "q" && name !== "sort") params.delete(name);
});

/** What is chosen, as buttons that take it away. */
export function chosen(params) {
  const made = [];
  for (const name of new Set(params.keys())) {
    if (OWN.has(name)) continue;
    for (const value of params.getAll(name)) made.push(taker(value, `Remove ${name} ${value}`, () => toggle(name, value)));
  }
  const low = params.get("low"), high = params.get("high");
  const range = `${low ? price(Number(low)) : "…"} – ${high ? price(Number(high)) : "…"}`;
  if (low || high) made.push(taker(range, `Remove the price range ${range}`, () => change((found) => { found.delete("low"); found.delete("high"); })));
  return made.length ? h("div", { class: "chosen", role: "group", "aria-label": "Chosen filters" }, made, h("button", { type: "button", class: "quiet", onclick: clear }, "Clear all")) : null;
}

const taker = (text, label, onclick) => h("button", { type: "button", class: "chip", "aria-label": label, onclick }, text, icon("close"));

export function facets(found, params) {
  const groups = Object.entries(found).filter(([name]) => name !== "price").map(([name, values]) => group(name, values, params));
  const range = found.price && priceRange(found.price, params);
  const open = matchMedia("(min-width: 60rem)").matches;
  return h("details", { class: "facets", open }, h("summary", {}, icon("filter"), " Filters"), range, groups);
}

/** Of category paths: the first levels, and what is below one that is chosen. */
function unfolded(values, picked) {
  const open = (path) => picked.some((one) => one === path || one.startsWith(`${path} > `));
  const shown = (path) => picked.includes(path) || !path.includes(" > ") || open(path.slice(0, path.lastIndexOf(" > ")));
  const below = (path) => [path, ...known.filter((one) => one.value.slice(0, Math.max(one.value.lastIndexOf(" > "), 0)) === path.value).flatMap(below)];
  const known = values.filter((one) => shown(one.value));
  return known.filter((one) => !one.value.includes(" > ")).flatMap(below);
}

function group(name, all, params) {
  const picked = params.getAll(name);
  const values = name === "category" ? unfolded(all, picked) : all;
  const shown = name === "category" ? values : [...values.filter((one) => picked.includes(one.value)), ...values.filter((one) => !picked.includes(one.value))];
  const first = name === "category" ? 2 * FIRST : Math.max(FIRST, picked.length);
  const level = (one) => (name === "category" ? `level${Math.min(one.value.split(" > ").length - 1, 3)}` : null);
  const entry = (one) => h("li", { class: level(one) }, h("label", {},
    h("input", { type: "checkbox", "aria-label": name === "category" ? one.value : null, checked: picked.includes(one.value), onchange: () => toggle(name, one.value) }),
    h("span", {}, name === "category" ? one.value.split(" > ").at(-1) : one.value),
    h("small", { class: "soft" }, count(one.count))));
  const rest = shown.slice(first);
  const more = h("ul", { hidden: true }, rest.map(entry));
  return h("fieldset", {}, h("legend", {}, name.replaceAll("_", " ")),
    h("ul", {}, shown.slice(0, first).map(entry)), more,
    rest.length > 0 && h("button", { type: "button", class: "quiet", "aria-expanded": "false", onclick: (event) => {
      more.hidden = !more.hidden;
      event.target.setAttribute("aria-expanded", String(!more.hidden));
      event.target.textContent = more.hidden ? `${count(rest.length)} more` : "Fewer";
    } }, `${count(rest.length)} more`));
}

function priceRange(range, params) {
  const field = (name, label, placeholder) => h("label", {}, h("span", { class: "sr" }, label),
    h("input", { type: "number", name, min: "0", step: "any", inputmode: "decimal", placeholder: price(placeholder), value: params.get(name) ?? "" }));
  const form = h("form", { class: "range", onsubmit: (event) => {
    event.preventDefault();
    let [low, high] = ["low", "high"].map((name) => form.elements[name].value);
    if (low && high && Number(low) > Number(high)) [low, high] = [high, low];
    change((found) => { found.set("low", low); found.set("high", high); if (!low) found.delete("low"); if (!high) found.delete("high"); });
  } }, field("low", "Lowest price", range.min), h("span", { "aria-hidden": "true" }, "–"), field("high", "Highest price", range.max), h("button", { type: "submit" }, "Apply"));
  return h("fieldset", {}, h("legend", {}, "price"), form);
}
