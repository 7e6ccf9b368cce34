// The search box: words with suggestions (a combobox as ARIA has it), a photo by drop, paste, file or camera, or both.

import { suggest } from "./api.js";
import { canFilm, openCamera } from "./camera.js";
import { byId, fill, h, icon, say } from "./dom.js";
import { asked, go, here, takePhoto } from "./state.js";

const MOST_SIDE = 1200; // pixels: a phone's photo is made smaller before it is sent
const WAIT = 120; // milliseconds after the last letter

let input, list, photoPlace, options = [], active = -1, pending = null, timer = 0;

export function makeBox() {
  input = h("input", {
    type: "search", id: "words", name: "q", placeholder: "Search, or drop a photo", autocomplete: "off", spellcheck: "false",
    role: "combobox", "aria-label": "Search words", "aria-expanded": "false", "aria-controls": "suggestions", "aria-autocomplete": "list",
    maxlength: "400", enterkeyhint: "search", oninput: typed, onkeydown: keys, onblur: () => setTimeout(close, 150),
  });
  list = h("ul", { id: "suggestions", role: "listbox", "aria-label": "Suggestions", hidden: true });
  photoPlace = h("div", { class: "asked-photo", hidden: true });
  const file = h("input", { type: "file", accept: "image/*", class: "sr", id: "file", tabindex: "-1", "aria-hidden": "true", onchange: () => take(file.files[0], file) });
  const form = h("form", { class: "box", role: "search", onsubmit: submitted },
    photoPlace, h("div", { class: "field" }, input, list),
    h("button", { type: "button", class: "quiet", "aria-label": "Search by photo", title: "Search by photo: choose a file or take one; you can also drop or paste it", onclick: () => (canFilm() ? openCamera(take, () => file.click()) : file.click()) }, icon("camera")),
    file,
    h("button", { type: "submit", class: "primary", "aria-label": "Search" }, icon("search")));
  fill(byId("box"), form);
  addEventListener("paste", (event) => take([...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"))));
  addEventListener("dragover", (event) => { if (event.dataTransfer?.types.includes("Files")) { event.preventDefault(); document.body.classList.add("dropping"); } });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    const dropped = event.dataTransfer?.files?.[0];
    if (dropped) { event.preventDefault(); take(dropped); }
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "")) { event.preventDefault(); input.focus(); }
  });
}

/** Show the words of the address, and the photo that is asked with. */
export function showAsked() {
  const { view, params } = here();
  if (["search", "beside", "judge"].includes(view)) input.value = params.get("q") ?? "";
  showPhoto();
}

function showPhoto() {
  const photo = asked.photo;
  photoPlace.hidden = !photo;
  fill(photoPlace, photo && [
    h("img", { src: photo.address, alt: `Your photo ${photo.name}` }),
    h("button", { type: "button", class: "quiet", "aria-label": "Remove the photo", onclick: () => { takePhoto(null); showPhoto(); submit(); } }, icon("close")),
  ]);
}

async function take(file, from = null) {
  if (!file) return;
  try {
    takePhoto(await smaller(file));
  } catch {
    say("This file is no photo that can be read");
    photoPlace.hidden = false;
    fill(photoPlace, h("p", { class: "wrong", role: "alert" }, "No photo that can be read"));
    return;
  } finally {
    if (from) from.value = "";
  }
  showPhoto();
  submit();
}

async function smaller(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, MOST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = h("canvas", { width: String(Math.max(1, Math.round(bitmap.width * scale))), height: String(Math.max(1, Math.round(bitmap.height * scale))) });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((made) => { canvas.toBlob(made, "image/jpeg", 0.9); });
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return { data: btoa(text), address: URL.createObjectURL(blob), name: file.name ?? "" };
}

function submitted(event) {
  event.preventDefault();
  submit();
}

function submit(words = input.value.trim()) {
  close();
  const { view, params } = here();
  const kept = view === "beside" ? { against: params.get("against") } : {};
  go(["beside", "judge"].includes(view) ? view : "search", { q: words, ...kept });
}

function typed() {
  clearTimeout(timer);
  const words = input.value.trim();
  if (!words) { close(); return; }
  timer = setTimeout(async () => {
    pending?.abort();
    pending = new AbortController();
    try {
      const { suggestions } = await suggest(words, pending.signal);
      if (document.activeElement === input) open(suggestions);
    } catch { close(); }
  }, WAIT);
}

function open(suggestions) {
  active = -1;
  options = suggestions.map((one, place) => h("li", {
    id: `suggestion-${place}`, role: "option", "aria-selected": "false",
    onmousedown: (event) => { event.preventDefault(); choose(one); },
  }, h("span", {}, one.text), h("small", { class: "soft" }, one.kind === "title" ? "" : one.kind)));
  options.forEach((option, place) => { option.chosen = suggestions[place]; });
  fill(list, options);
  list.hidden = !options.length;
  input.setAttribute("aria-expanded", String(options.length > 0));
  input.removeAttribute("aria-activedescendant");
}

function close() {
  clearTimeout(timer);
  pending?.abort();
  if (!list || list.hidden) return;
  list.hidden = true;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function choose(one) {
  input.value = one.text;
  if (one.kind === "title") { submit(); return; }
  close();
  go("search", { q: one.text, ...(one.kind === "brand" ? { brand: one.text } : { category: one.text }) });
}

function keys(event) {
  if (event.key === "Escape" && !list.hidden) { close(); event.preventDefault(); return; }
  if (event.key === "Enter" && active >= 0 && !list.hidden) { event.preventDefault(); choose(options[active].chosen); return; }
  if (!["ArrowDown", "ArrowUp"].includes(event.key) || list.hidden) return;
  event.preventDefault();
  active = (active + (event.key === "ArrowDown" ? 1 : options.length) + (active < 0 && event.key === "ArrowUp" ? 1 : 0)) % options.length;
  if (active < 0) active = options.length - 1;
  options.forEach((option, place) => option.setAttribute("aria-selected", String(place === active)));
  input.setAttribute("aria-activedescendant", options[active].id);
  options[active].scrollIntoView({ block: "nearest" });
}
