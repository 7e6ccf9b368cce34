// A product as lists show it.

import { act, photo } from "./api.js";
import { h, price } from "./dom.js";
import { address, inTray, isInTray, onTray, shownIn, toggleTray, trayIsFull } from "./state.js";

/** A photo of fixed shape; a product without one gets a place that says so. */
export function picture(product, size = "small", alt = "") {
  const image = h("img", { src: photo(product.product_id, size), alt, loading: "lazy", decoding: "async", width: "240", height: "240" });
  const frame = h("div", { class: "picture" }, image);
  image.addEventListener("error", () => frame.replaceChildren(h("span", { class: "soft" }, "No photo")));
  return frame;
}

export function prices(product) {
  if (product.price === null || product.price === undefined) return h("p", { class: "price soft" }, "Price on request");
  const lowered = product.list_price > product.price;
  return h("p", { class: "price" }, h("strong", {}, price(product.price)),
    lowered && [" ", h("s", { class: "soft" }, h("span", { class: "sr" }, "before "), price(product.list_price))]);
}

export function rating(product) {
  if (product.rating === null || product.rating === undefined) return null;
  const counted = product.rating_count ? ` (${product.rating_count})` : "";
  return h("p", { class: "rating soft" }, h("span", { "aria-hidden": "true" }, "★ "), h("span", { class: "sr" }, "Rated "), `${product.rating}${counted}`);
}

export function reasons(product) {
  const said = (product.reasons ?? []).slice(0, 2);
  if (!said.length) return null;
  return h("ul", { class: "reasons", "aria-label": "Why it is here" }, said.map((one) => h("li", { class: one.share < 0 ? "lowers" : "lifts" },
    h("span", { "aria-hidden": "true" }, one.share < 0 ? "− " : "+ "), h("span", { class: "sr" }, one.share < 0 ? "against it: " : "for it: "), one.says)));
}

export const link = (product, content) => h("a", {
  href: address("product", {}, product.product_id),
  onclick: () => act("click", product.product_id, shownIn(product.product_id)),
}, content);

export function compareButton(product) {
  const button = h("button", { type: "button", class: "quiet", onclick: () => toggleTray(product) });
  const show = () => {
    const chosen = isInTray(product.product_id);
    button.setAttribute("aria-pressed", String(chosen));
    button.textContent = chosen ? "✓ Compare" : "Compare";
    button.setAttribute("aria-label", `Compare ${product.title ?? product.product_id}`);
    button.disabled = !chosen && trayIsFull();
  };
  show();
  onTray(show);
  return button;
}

/** A card of the grid. */
export function card(product) {
  const name = product.title ?? product.product_id;
  return h("li", { class: "card", data: { product: product.product_id } },
    h("article", { "aria-label": name },
      picture(product),
      h("h3", {}, link(product, name)),
      h("p", { class: "brand soft" }, product.brand ?? ""),
      prices(product), rating(product), reasons(product),
      h("div", { class: "deeds" },
        h("a", { class: "button quiet", href: address("like", {}, product.product_id), "aria-label": `More like this: ${name}` }, "More like this"),
        compareButton(product))));
}

export const grid = (products) => h("ul", { class: "grid" }, products.map(card));
export const chosen = () => inTray().map((one) => one.product_id);
