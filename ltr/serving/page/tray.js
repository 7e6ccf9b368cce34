// The tray at the foot: what is chosen to be compared.

import { photo } from "./api.js";
import { byId, fill, h, say } from "./dom.js";
import { address, inTray, onTray, setTray, toggleTray } from "./state.js";

export function makeTray() {
  onTray(() => { show(); say(`${inTray().length} to compare`); });
  show();
}

function show() {
  const tray = byId("tray"), products = inTray();
  tray.hidden = !products.length;
  document.body.classList.toggle("with-tray", products.length > 0);
  const ids = products.map((one) => one.product_id);
  fill(tray,
    h("ul", {}, products.map((one) => h("li", {}, thumbnail(one),
      h("button", { type: "button", class: "quiet", "aria-label": `Take ${one.title ?? one.product_id} off the tray`, onclick: () => toggleTray(one) }, "×")))),
    ids.length > 1
      ? h("a", { class: "button primary", href: address("compare", { ids: ids.join("\u001f") }) }, `Compare ${ids.length}`)
      : h("p", { class: "soft" }, "Choose one more to compare"),
    h("button", { type: "button", class: "quiet", onclick: () => setTray([]) }, "Clear"));
}

function thumbnail(one) {
  const image = h("img", { src: photo(one.product_id), alt: one.title ?? one.product_id, width: "44", height: "44" });
  image.addEventListener("error", () => image.replaceWith(h("span", { class: "empty", title: one.title ?? one.product_id }, (one.title ?? one.product_id).slice(0, 2))));
  return image;
}
