// One query by two orders, and what moved.

import { beside, runs } from "./api.js";
import { link, picture } from "./cards.js";
import { fill, h, price, readAs, say } from "./dom.js";
import { asked, go, here } from "./state.js";

const SIZE = 10;

export async function showBeside(main, signal) {
  const { params } = here();
  const words = params.get("q") ?? "", against = params.get("against") ?? "bm25";
  document.title = "Side by side";
  const known = await runs();
  const choice = h("label", { class: "sort" }, h("span", {}, "Against "), h("select", { onchange: (event) => go("beside", { q: words, against: event.target.value }) },
    [["bm25", "BM25 alone"], ...known.runs.filter((name) => name !== known.now.name).map((name) => [name, `run ${name}`])].map(([value, text]) => h("option", { value, selected: value === against }, text))));
  const heading = h("div", { class: "heading" }, h("h1", {}, words ? `“${words}”` : "Side by side"), choice);
  if (!words && !asked.photo) {
    fill(main, heading, h("p", { class: "nothing" }, "Search for something above: its list stands here in two orders."));
    return;
  }
  fill(main, heading, h("p", { class: "soft", role: "status" }, "One moment …"));
  const found = await beside({ ...(words ? { text: words } : {}), ...(asked.photo ? { photo: asked.photo.data } : {}), against, size: SIZE });
  if (signal.aborted) return;
  const theirs = against === "bm25" ? "BM25" : found.against.name;
  const { same, higher, lower, new: fresh } = found.moved;
  const summary = `Of the first ${found.ours.length} of ${found.run.name}, against ${theirs}: ${same} in the same place, ${higher} higher, ${lower} lower, ${fresh} not among the other’s first ${SIZE}.`;
  fill(main, heading, h("p", {}, summary),
    h("div", { class: "lists" }, list(found.run.name, found.ours, theirs, true, found.read_as.ours), list(theirs, found.theirs, found.run.name, false, found.read_as.theirs)));
  say(summary);
}

function list(name, products, other, ours, words) {
  return h("section", { class: ours ? "ours" : null, "aria-label": `By ${name}` }, h("h2", {}, name), readAs(words),
    products.length ? h("ol", { class: "items" }, products.map((one) => item(one, other, ours)))
      : h("p", { class: "nothing" }, "Finds nothing: it reads words alone."));
}

function item(one, other, ours) {
  const steps = one.elsewhere === null ? null : one.elsewhere - one.position;
  const moved = steps === null ? ["new", "+", `not in the list of ${other}`] : steps === 0 ? ["same", "=", "in the same place"]
    : steps > 0 ? ["up", `▲ ${steps}`, `number ${one.elsewhere} by ${other}`] : ["down", `▼ ${-steps}`, `number ${one.elsewhere} by ${other}`];
  return h("li", { class: "item" }, h("span", { class: "place" }, String(one.position)), picture(one),
    h("div", {}, h("p", { class: "title" }, link(one, one.title ?? one.product_id)), h("p", { class: "soft" }, [one.brand, price(one.price)].filter(Boolean).join(" · "))),
    h("span", { class: `moved ${ours ? moved[0] : "there"}`, title: moved[2] }, h("span", { "aria-hidden": "true" }, ours ? moved[1] : one.elsewhere === null ? "–" : `#${one.elsewhere}`), h("span", { class: "sr" }, moved[2])));
}
