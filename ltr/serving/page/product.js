// One product, and several beside each other.

import { act, compare, explain, product, similar } from "./api.js";
import { compareButton, grid, picture, prices, rating } from "./cards.js";
import { fill, h, price, readAs, say } from "./dom.js";
import { address, asked, here, remember, setTray, shownIn } from "./state.js";

const HEAD = ["product_id", "title", "description", "price", "list_price", "rating", "rating_count"];
const named = (column) => column.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());
const shown = (value) => (value === null || value === undefined || value === "" ? "—" : typeof value === "number" ? String(Math.round(value * 1e4) / 1e4)
  : /^\d{4}-\d\d-\d\dT/.test(value) ? value.slice(0, 10) : String(value));

let lastWords = "";
/** The words that led here, which the reasons are about. */
export function cameFrom(words) { lastWords = words; }

export async function showProduct(main, signal) {
  const { id } = here();
  const { product: one } = await product(id);
  const name = one.title ?? id;
  document.title = name;
  const why = h("section", { class: "why", "aria-labelledby": "why", hidden: true });
  const like = h("section", { "aria-labelledby": "like" });
  fill(main,
    h("article", { class: "product" },
      picture(one, "large", `Photo of ${name}`),
      h("div", { class: "about" },
        h("p", { class: "brand soft" }, [one.brand, one.category].filter(Boolean).join(" · ")),
        h("h1", {}, name), prices(one), rating(one),
        h("div", { class: "deeds" }, cartButton(one), compareButton(one)),
        one.description && h("p", { class: "description" }, one.description),
        h("table", { class: "facts" }, h("caption", { class: "sr" }, "Facts"), h("tbody", {}, Object.entries(one).filter(([column]) => !HEAD.includes(column) && one[column] !== null)
          .map(([column, value]) => h("tr", {}, h("th", { scope: "row" }, named(column)), h("td", {}, shown(value)))))),
        why)),
    like);
  say(name);
  await Promise.all([showWhy(why, id, signal), showLike(like, id)]);
}

function cartButton(one) {
  const button = h("button", { type: "button", class: "primary", onclick: async () => {
    await act("cart", one.product_id, shownIn(one.product_id), one.price);
    button.textContent = "✓ In the cart";
    say("Put in the cart");
  } }, "Add to cart");
  return button;
}

async function showWhy(place, id, signal) {
  if (!lastWords && !asked.photo) return;
  try {
    const found = await explain({ ...(lastWords ? { text: lastWords } : {}), ...(asked.photo ? { photo: asked.photo.data } : {}), product_id: id });
    if (signal.aborted) return;
    const most = Math.max(...found.modalities.map((one) => Math.abs(one.difference)), 1e-9);
    fill(place, h("h2", { id: "why" }, `Number ${found.rank} of ${found.of}`, h("small", { class: "soft" }, ` for ${lastWords ? `“${lastWords}”` : "your photo"}`)), readAs(found.read_as),
      h("p", { class: "soft" }, "What lifts it (right) or lowers it (left), against the mean of all that was found:"),
      h("ul", { class: "bars" }, found.modalities.filter((one) => Math.abs(one.difference) > most / 100).map((one) => h("li", {},
        h("span", {}, one.modality.replaceAll("_", " ")),
        bar(one.difference / most), h("span", { class: "n" }, (one.difference > 0 ? "+" : "−") + Math.abs(one.difference).toFixed(3))))),
      h("ul", { class: "said" }, found.sentences.map((text) => h("li", {}, text))));
    place.hidden = false;
  } catch { /* it is no candidate of that query, or explaining needs the token: then nothing is said */ }
}

function bar(share) {
  const width = Math.max(1, Math.abs(share) * 50);
  return h("svg", { viewBox: "0 0 100 10", class: share > 0 ? "bar up" : "bar down", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("path", { d: share > 0 ? `M50 1h${width}v8h-${width}z` : `M50 1h-${width}v8h${width}z` }), h("path", { class: "axis", d: "M50 0v10" }));
}

async function showLike(place, id) {
  try {
    const found = await similar(id, 6);
    remember(found);
    if (found.products.length) fill(place, h("h2", { id: "like" }, "More like this"), grid(found.products));
  } catch (error) { fill(place, h("p", { class: "soft" }, error.message)); }
}

export async function showCompare(main) {
  const ids = (here().params.get("ids") ?? "").split("\u001f").filter(Boolean);
  document.title = "Compare";
  if (ids.length < 2) {
    fill(main, h("h1", {}, "Compare"), h("p", { class: "nothing" }, "Choose two products or more: each has a button Compare."));
    return;
  }
  const found = await compare(ids);
  const rows = Object.keys(found.products[0]).filter((column) => !["product_id", "title"].includes(column) && found.products.some((one) => one[column] !== null));
  const differs = (column) => new Set(found.products.map((one) => JSON.stringify(one[column]))).size > 1;
  fill(main, h("h1", {}, "Compare"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Products side by side" }, h("table", { class: "compare" },
      h("caption", { class: "sr" }, "Products side by side; what differs is in bold"),
      h("thead", {}, h("tr", {}, h("td", {}), found.products.map((one) => h("th", { scope: "col" }, picture(one), h("a", { href: address("product", {}, one.product_id) }, one.title ?? one.product_id),
        h("button", { type: "button", class: "quiet", "aria-label": `Take ${one.title ?? one.product_id} away`, onclick: () => drop(ids, one.product_id) }, "Remove"))))),
      h("tbody", {}, rows.map((column) => h("tr", { class: differs(column) ? "differs" : null }, h("th", { scope: "row" }, named(column)),
        found.products.map((one) => h("td", {}, ["price", "list_price"].includes(column) ? price(one[column]) || "—" : shown(one[column])))))))),
    alike(found));
  say(`${found.products.length} products side by side`);
}

function drop(ids, id) {
  const kept = ids.filter((one) => one !== id);
  setTray(kept.map((product_id) => ({ product_id })));
  location.hash = address("compare", { ids: kept.join("\u001f") });
}

function alike(found) {
  if (!found.alike.length) return null;
  const names = new Map(found.products.map((one) => [one.product_id, one.title ?? one.product_id]));
  const aspects = Object.keys(found.alike[0]).filter((name) => !["a", "b"].includes(name));
  const share = (value) => (value === null || value === undefined ? "—" : `${Math.round(value * 100)} %`);
  return h("section", {}, h("h2", {}, "How alike they are"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "How alike they are" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Products"), aspects.map((name) => h("th", { scope: "col", class: "n" }, named(name))))),
    h("tbody", {}, found.alike.map((one) => h("tr", {}, h("th", { scope: "row" }, names.get(one.a), h("br"), names.get(one.b)), aspects.map((name) => h("td", { class: "n" }, share(one[name])))))))));
}
