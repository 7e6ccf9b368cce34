// The address decides the view; one view at a time, and a newer one ends what an older one still waits for.

import { ready, setToken } from "./api.js";
import { showBeside } from "./beside.js";
import { makeBox, showAsked } from "./box.js";
import { byId, fill, h, say } from "./dom.js";
import { judgeKeys, showJudge } from "./judge.js";
import { cameFrom, showCompare, showProduct } from "./product.js";
import { showLike, showSearch } from "./search.js";
import { here } from "./state.js";
import { makeTray } from "./tray.js";

const VIEWS = { search: showSearch, product: showProduct, like: showLike, compare: showCompare, beside: showBeside, judge: showJudge };
let current = null, first = true;

async function show() {
  current?.abort();
  current = new AbortController();
  const { signal } = current, { view, params } = here(), main = byId("main");
  if (view === "search") cameFrom(params.get("q") ?? "");
  showAsked();
  document.body.dataset.at = view;
  document.querySelectorAll("[data-view]").forEach((link) => (link.dataset.view === view ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current")));
  main.setAttribute("aria-busy", "true");
  try {
    await (VIEWS[view] ?? showSearch)(main, signal);
  } catch (error) {
    if (!signal.aborted && error.name !== "AbortError") wrong(main, error);
  }
  if (signal.aborted) return;
  main.removeAttribute("aria-busy");
  if (!first && !main.contains(document.activeElement) && document.activeElement?.id !== "words") main.focus({ preventScroll: true });
  if (!first) scrollTo({ top: 0 });
  first = false;
}

function wrong(main, error) {
  const needsToken = error.status === 401;
  const field = h("input", { type: "password", id: "token", autocomplete: "off" });
  fill(main, h("h1", {}, needsToken ? "This needs the server’s token" : "This did not work"), h("p", { role: "alert" }, error.message),
    needsToken ? h("form", { class: "range token", onsubmit: (event) => { event.preventDefault(); setToken(field.value.trim()); show(); } }, h("label", { for: "token" }, "Token"), field, h("button", { type: "submit", class: "primary" }, "Go on"))
      : h("button", { type: "button", onclick: show }, "Try again"));
  say(error.message);
}

async function about() {
  try {
    const found = await ready();
    fill(byId("about"), `${found.products.toLocaleString("en")} products, ranked by ${found.run.name} (${found.run.version})`);
  } catch { /* the views say what is wrong */ }
}

makeBox();
makeTray();
addEventListener("hashchange", show);
addEventListener("keydown", judgeKeys);
show();
about();
