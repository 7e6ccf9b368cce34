// The grid of results.

import { search, similar, visit } from "./api.js";
import { grid } from "./cards.js";
import { count, fill, h, plural, readAs, say, unheard } from "./dom.js";
import { chosen, clear, facets, filters } from "./facets.js";
import { address, asked, go, here, remember } from "./state.js";

const SIZE = 24;
const SORTS = [["relevance", "Best first"], ["price", "Price, low first"], ["-price", "Price, high first"], ["newest", "Newest"]];

export async function showSearch(main, signal) {
  const { params } = here();
  const words = params.get("q") ?? "", looking = Boolean(words || asked.photo);
  const sort = params.get("sort") ?? (looking ? "relevance" : "newest");
  const page = Math.max(1, Number.parseInt(params.get("page") ?? "1", 10) || 1);
  document.title = words ? `${words} – Search` : "Search";
  const ask = (by) => search({
    ...(words ? { text: words } : {}), ...(asked.photo ? { photo: asked.photo.data } : {}),
    filters: filters(params), sort: by, page, size: SIZE, reasons: 2, ...visit,
  }, signal);
  // A catalogue without dates has no newest: then by price.
  const found = await ask(sort).catch((error) => { if (looking || params.has("sort") || error.status !== 422) throw error; return ask("price"); });
  remember(found);
  const title = words ? `“${words}”` : asked.photo ? "Like your photo" : "All products";
  fill(main,
    h("div", { class: "results" },
      facets(found.facets ?? {}, params),
      h("section", { "aria-labelledby": "title" },
        h("div", { class: "heading" },
          h("h1", { id: "title" }, title, " ", h("small", { class: "soft" }, plural(found.total, "product", "products"))),
          sortChoice(found.sort, looking, params)),
        found.degraded && h("p", { class: "note", role: "alert" }, "The server is busy: these are not in their best order."),
        readAs(found.read_as),
        unheard(found.ignored),
        chosen(params),
        h("h2", { class: "sr" }, "Products"), found.products.length ? grid(found.products) : nothing(params),
        pages(found.page, found.pages, params))));
  say(`${plural(found.total, "product", "products")} found`);
}

function sortChoice(sort, looking, params) {
  const offered = SORTS.filter(([name]) => looking || name !== "relevance");
  return h("label", { class: "sort" }, h("span", {}, "Sort "), h("select", { onchange: (event) => {
    params.set("sort", event.target.value);
    params.delete("page");
    go("search", params);
  } }, offered.map(([name, text]) => h("option", { value: name, selected: name === sort }, text))));
}

const nothing = (params) => h("div", { class: "nothing" }, h("p", {}, "Nothing fits."),
  [...params.keys()].some((name) => !["q", "sort", "page"].includes(name)) ? h("button", { type: "button", onclick: clear }, "Clear all filters") : h("p", { class: "soft" }, "Try fewer or other words, or a photo."));

function pages(page, all, params) {
  if (all < 2) return null;
  const to = (number, text, label) => { const there = new URLSearchParams(params); there.set("page", number); return h("a", { class: "button", href: address("search", there), "aria-label": label }, text); };
  return h("nav", { class: "pages", "aria-label": "Pages" },
    page > 1 && to(page - 1, "← Previous", "Previous page"), h("span", { class: "soft" }, `Page ${count(page)} of ${count(all)}`), page < all && to(page + 1, "Next →", "Next page"));
}

export async function showLike(main) {
  const { id } = here();
  const found = await similar(id, SIZE);
  remember(found);
  const { product } = await (await import("./api.js")).product(id);
  document.title = `More like ${product.title ?? id}`;
  fill(main, h("h1", {}, "More like ", h("a", { href: address("product", {}, id) }, product.title ?? id)),
    found.products.length ? grid(found.products) : h("p", { class: "nothing" }, "Nothing is like it."));
  say(`${plural(found.products.length, "product", "products")} like it`);
}
