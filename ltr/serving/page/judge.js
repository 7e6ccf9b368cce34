// Grades by keys: a query's products of both orders mixed, so that neither the model nor a place is favoured.

import { beside, givenGrades, judge, judged, judgedTable, search } from "./api.js";
import { picture } from "./cards.js";
import { byId, count, fill, h, plural, price, say } from "./dom.js";
import { asked, go, here } from "./state.js";

const GRADES = [["0", "No"], ["1", "Partly"], ["2", "Good"], ["3", "Exactly"]];
const POOL = 10; // of each order

const known = (name) => { try { return localStorage.getItem(name) ?? ""; } catch { return ""; } };
const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* for this page only, then */ } };

let me = known("judge"), cards = [], at = 0, given = {}, query = {}, latest = 0;

export async function showJudge(main, signal) {
  const { params } = here();
  const words = params.get("q") ?? "";
  document.title = "Judge";
  query = { ...(words ? { text: words } : {}), ...(asked.photo ? { photo: asked.photo.data } : {}) };
  const progress = h("section", { class: "progress", "aria-labelledby": "progress", hidden: true }, h("div", { class: "figures" }), useOfGrades());
  const desk = h("section", { "aria-labelledby": "desk" });
  fill(main, h("div", { class: "heading" }, h("h1", {}, "Judge"), whoBox()), h("div", { class: "judging" }, desk, progress));
  const [summary] = await Promise.all([judged(), showDesk(desk, words, signal)]);
  if (!signal.aborted) showProgress(progress, summary);
}

function whoBox() {
  const field = h("input", { type: "text", id: "who", maxlength: "40", autocomplete: "nickname", value: me, placeholder: "Your name", onchange: () => {
    me = field.value.trim();
    keep("judge", me);
    go("judge", here().params);
  } });
  return h("label", { class: "sort" }, h("span", {}, "Judge "), field);
}

async function showDesk(desk, words, signal) {
  if (!me || (!words && !asked.photo)) {
    cards = [];
    fill(desk, h("h2", { id: "desk" }, "Start"), h("p", {}, !me ? "Say who judges, above on the right." : "Search for what shoppers look for: its products come here to be graded."),
      h("p", { class: "soft" }, "Each product gets a grade from 0 (no) to 3 (exactly what was asked for). Keys 0–3 grade and go on, arrows move, Backspace takes a grade back. Let two people judge some queries both: then it is known how far grades can be trusted."), queue());
    return;
  }
  const [found, before] = await Promise.all([pooled(), givenGrades({ ...query, judge: me })]);
  if (signal.aborted) return;
  given = before.grades;
  const pool = [...new Map([...found.ours, ...found.theirs].map((one) => [one.product_id, one])).values()].sort((a, b) => mixed(a.product_id) - mixed(b.product_id));
  at = Math.max(0, pool.findIndex((one) => given[one.product_id] === undefined));
  cards = pool.map((one, place) => card(one, place));
  fill(desk, h("h2", { id: "desk" }, words ? `“${words}”` : "Your photo", h("small", { class: "soft", id: "left" })),
    h("p", { class: "soft" }, "Keys ", h("kbd", {}, "0"), "–", h("kbd", {}, "3"), " grade and go on, ", h("kbd", {}, "←"), " ", h("kbd", {}, "→"), " move, ", h("kbd", {}, "⌫"), " takes back."),
    pool.length ? h("ol", { class: "desk" }, cards) : h("p", { class: "nothing" }, "Nothing is found for it."), queue());
  left();
  move(at, false);
}

/** The first products of both orders; of a run that does not know BM25, of its own alone. */
async function pooled() {
  try {
    return await beside({ ...query, against: "bm25", size: POOL });
  } catch (error) {
    if (error.status !== 422) throw error;
    return { ours: (await search({ ...query, size: 2 * POOL, facets: false })).products, theirs: [] };
  }
}

/** A number that is the same each time for a judge and a product, and says nothing of its place. */
function mixed(product) {
  let hash = 2166136261;
  for (const letter of `${me}\u001f${product}`) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619);
  return hash >>> 0;
}

function card(one, place) {
  const name = one.title ?? one.product_id;
  return h("li", { class: "judged", data: { product: one.product_id } }, h("fieldset", { onfocusin: () => { at = place; mark(); } },
    h("legend", { class: "sr" }, name), picture(one),
    h("div", {}, h("p", { class: "title" }, name), h("p", { class: "soft" }, [one.brand, one.category, price(one.price)].filter(Boolean).join(" · "))),
    h("div", { class: "grades" }, GRADES.map(([value, text]) => h("label", { class: `g${value}` },
      h("input", { type: "radio", name: `grade-${place}`, value, checked: String(given[one.product_id] ?? "") === value, onchange: () => grade(place, Number(value), false) }), h("b", {}, value), h("span", {}, text))))));
}

async function grade(place, value, onwards) {
  const element = cards[place], product = element.dataset.product, before = given[product];
  if (value === null) delete given[product]; else given[product] = value;
  const choose = () => element.querySelectorAll("input").forEach((one) => { one.checked = String(given[product] ?? "") === one.value; });
  choose();
  left();
  if (onwards && place + 1 < cards.length) move(place + 1);
  try {
    await judge({ ...query, judge: me, grades: { [product]: value } });
    element.classList.remove("lost");
    await refresh();
  } catch (error) {
    if (before === undefined) delete given[product]; else given[product] = before;
    choose();
    left();
    element.classList.add("lost");
    say(`Not kept: ${error.message}`);
  }
}

/** The figures anew; an answer that a later one has overtaken is dropped, and one that fails loses no grade. */
async function refresh() {
  const place = document.querySelector(".progress"), turn = ++latest;
  const summary = await judged().catch(() => null);
  if (place && summary && turn === latest) showProgress(place, summary);
}

function left() {
  const open = cards.filter((one) => given[one.dataset.product] === undefined).length;
  const place = byId("left");
  if (place) place.textContent = open ? ` ${count(open)} of ${count(cards.length)} to grade` : " all graded";
}

const mark = () => cards.forEach((one, place) => one.classList.toggle("now", place === at));
function move(place, focus = true) {
  if (!cards.length) return;
  at = Math.min(Math.max(place, 0), cards.length - 1);
  mark();
  if (!focus) return;
  (cards[at].querySelector("input:checked") ?? cards[at].querySelector("input")).focus({ preventScroll: true });
  cards[at].scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

/** Keys of the whole view, but not while somebody writes. */
export function judgeKeys(event) {
  const writing = /^(TEXTAREA|SELECT)$/.test(event.target.tagName) || (event.target.tagName === "INPUT" && event.target.type !== "radio");
  if (here().view !== "judge" || !cards.length || writing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[0-3]$/.test(event.key)) grade(at, Number(event.key), true);
  else if (event.key === "ArrowRight" || event.key === "ArrowDown") move(at + 1);
  else if (event.key === "ArrowLeft" || event.key === "ArrowUp") move(at - 1);
  else if (event.key === "Backspace" || event.key === "Delete") grade(at, null, false);
  else return;
  event.preventDefault();
}

function queue() {
  const waiting = known("queue").split("\n").map((line) => line.trim()).filter(Boolean);
  const box = h("textarea", { rows: "4", id: "queue", placeholder: "red dress\nwaterproof boots", value: waiting.join("\n"), onchange: () => keep("queue", box.value) });
  const next = () => {
    const lines = box.value.split("\n").map((line) => line.trim()).filter(Boolean), now = query.text;
    const place = lines.indexOf(now);
    keep("queue", box.value);
    if (lines.length) go("judge", { q: lines[(place + 1) % lines.length] });
  };
  return h("details", { class: "queue", open: waiting.length > 0 || !query.text }, h("summary", {}, "Queries to judge"),
    h("label", { for: "queue", class: "soft" }, "One a line, such as the most frequent of your shop’s log"), box, h("button", { type: "button", onclick: next }, "Next query"));
}

/** What the grades are for. It stays as it is while figures change: a button made anew loses a click or the focus. */
function useOfGrades() {
  return h("div", { class: "kept", hidden: true }, h("div", { class: "deeds" }, download("judgements.csv"), download("queries.csv")),
    h("details", {}, h("summary", {}, "Learn from them"), h("p", {}, "They lie in the server’s folder ", h("code", { class: "folder" }), ". In the config:"), h("pre", {}, h("code", {}))));
}

function showProgress(place, summary) {
  const agree = summary.agreement, kept = place.querySelector(".kept");
  place.hidden = false;
  fill(place.querySelector(".figures"), h("h2", { id: "progress" }, "Progress"),
    h("p", {}, `${plural(summary.grades, "grade", "grades")} of ${plural(summary.pairs, "pair", "pairs")}, ${plural(summary.queries.length, "query", "queries")}`),
    summary.judges.length > 0 && h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Judge"), h("th", { scope: "col", class: "n" }, "Grades"), h("th", { scope: "col", class: "n" }, "Queries"))),
      h("tbody", {}, summary.judges.map((one) => h("tr", {}, h("th", { scope: "row" }, one.judge), h("td", { class: "n" }, count(one.grades)), h("td", { class: "n" }, count(one.queries)))))),
    agree && h("p", { class: agree.alpha !== null && agree.alpha < 0.667 ? "note" : null }, agree.pairs
      ? `${plural(agree.pairs, "pair", "pairs")} graded by two or more: ${Math.round(agree.alike * 100)} % alike, Krippendorff’s alpha ${agree.alpha.toFixed(2)}${agree.alpha < 0.667 ? ": settle what each grade means, and grade again what you differ on" : ""}.`
      : "No pair has two judges yet: without, nobody knows how far the grades can be trusted."),
    summary.queries.length > 0 && h("ul", { class: "asked" }, summary.queries.slice(-12).reverse().map((one) => h("li", {},
      one.text && !one.photo ? h("a", { href: `#/judge?q=${encodeURIComponent(one.text)}` }, one.text) : h("span", {}, `${one.text ?? ""} (with a photo)`), " ", h("small", { class: "soft" }, `${count(one.products)} by ${one.judges.join(", ")}`)))));
  kept.hidden = summary.pairs === 0;
  kept.querySelector(".folder").textContent = summary.folder;
  kept.querySelector("pre code").textContent = yaml(summary.config);
}

const yaml = (config) => `data:\n  kind: catalogue\n  products: …  # as they are\n  queries: {path: ${quoted(config.queries.path)}}\n  judgements:\n    path: ${quoted(config.judgements.path)}\n    columns: {grade: [${config.judgements.columns.grade.map(quoted).join(", ")}]}`;
const quoted = (text) => JSON.stringify(text);

function download(name) {
  return h("button", { type: "button", class: "quiet", onclick: async () => {
    const address = URL.createObjectURL(await judgedTable(name));
    const anchor = h("a", { href: address, download: name });
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  } }, name);
}
