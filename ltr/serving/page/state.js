// What outlives a view: the address (#/view?…), the photo of the query, the tray, and which list showed a product.

/** The view and its parameters: {view, id, params}. */
export function here() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/");
  return { view: view || "search", id: rest.length ? decodeURIComponent(rest.join("/")) : null, params: new URLSearchParams(query) };
}

export function address(view, params = {}, id = null) {
  const kept = new URLSearchParams();
  for (const [name, value] of params instanceof URLSearchParams ? params : Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") kept.append(name, value);
  }
  const query = kept.toString();
  const path = view === "search" ? "" : view;
  return `#/${path}${id === null ? "" : `/${encodeURIComponent(id)}`}${query ? `?${query}` : ""}`;
}

export function go(view, params, id) {
  const wanted = address(view, params, id);
  if (wanted === location.hash) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = wanted;
}

/** The photo of the query: {data: base64, address: blob:…, name}, or null. It is in memory only, not in the address. */
export const asked = { photo: null };

export function takePhoto(photo) {
  if (asked.photo) URL.revokeObjectURL(asked.photo.address);
  asked.photo = photo;
}

/** Which answer showed a product, so that a click is known to be one of that list. */
const shownBy = new Map();
export function remember(answer) {
  for (const one of answer.products) shownBy.set(one.product_id, answer.request_id);
}
export const shownIn = (product) => shownBy.get(product);

const MOST = 6;
const listeners = new Set();
const read = () => { try { return JSON.parse(localStorage.getItem("tray") ?? "[]").filter((one) => typeof one?.product_id === "string"); } catch { return []; } };
let tray = read();

export const inTray = () => tray;
export const isInTray = (product) => tray.some((one) => one.product_id === product);
export const trayIsFull = () => tray.length >= MOST;
export function onTray(listener) { listeners.add(listener); }
export function setTray(products) {
  tray = products.slice(0, MOST).map(({ product_id, title }) => ({ product_id, title }));
  try { localStorage.setItem("tray", JSON.stringify(tray)); } catch { /* for this page only, then */ }
  listeners.forEach((listener) => listener());
}
export function toggleTray(product) {
  setTray(isInTray(product.product_id) ? tray.filter((one) => one.product_id !== product.product_id) : [...tray, product]);
}
