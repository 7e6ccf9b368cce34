// The server's API: one function a path. Whatever goes wrong becomes an Error that says what to do.

const TOKEN = "token";

export class Problem extends Error {
  constructor(status, about) {
    super([about.title && !about.cure ? about.title : null, about.expected && `expected ${about.expected}`,
      about.got && `got ${about.got}`, about.cure].filter(Boolean).join("; ") || `the server answered ${status}`);
    this.status = status;
  }
}

const kept = (name) => { try { return sessionStorage.getItem(name); } catch { return null; } };
export const token = () => kept(TOKEN);
export function setToken(value) { try { sessionStorage.setItem(TOKEN, value); } catch { /* private windows keep none */ } }

const BUSY = new Set([429, 503]);

/** One more try after a second where the server says that it has too much to do. */
async function ask(path, options = {}) {
  try {
    return await askOnce(path, options);
  } catch (error) {
    if (!BUSY.has(error.status)) throw error;
    await new Promise((waited) => { setTimeout(waited, 1000); });
    if (options.signal?.aborted) throw error;
    return askOnce(path, options);
  }
}

async function askOnce(path, { body, signal, method } = {}) {
  const headers = { accept: "application/json" };
  if (token()) headers.authorization = `Bearer ${token()}`;
  if (body) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method: method ?? (body ? "POST" : "GET"), headers, signal, body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { expected: "an answer of the server", got: "none", cure: "check that it runs, and try again" });
  }
  if (answer.ok) return answer;
  throw new Problem(answer.status, await answer.json().catch(() => ({})));
}

const json = async (path, options) => (await ask(path, options)).json();
const id = (product) => encodeURIComponent(product);

export const search = (body, signal) => json("/search", { body, signal });
export const suggest = (typed, signal) => json(`/suggest?q=${encodeURIComponent(typed)}&size=8`, { signal });
export const product = (one) => json(`/product/${id(one)}`);
export const similar = (one, size = 12) => json(`/similar/${id(one)}?size=${size}`);
export const compare = (products) => json("/compare", { body: { products } });
export const explain = (body) => json("/explain", { body });
export const ready = () => json("/ready");
export const runs = () => json("/runs");
export const beside = (body) => json("/beside", { body });
export const judge = (body) => json("/judgements", { body });
export const judged = () => json("/judgements");
export const givenGrades = (body) => json("/judgements/given", { body });
export const judgedTable = async (name) => (await ask(`/judgements/${name}`)).blob();
export const photo = (one, size = "small") => `/photo/${id(one)}?size=${size}`;

const session = (() => {
  const known = kept("session");
  if (known) return known;
  const made = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  try { sessionStorage.setItem("session", made); } catch { /* a new one each time, then */ }
  return made;
})();
export const visit = { session };

let logging = true;
/** Tell the server what a shopper did; without a log it says so once, and nothing more is sent. */
export async function act(action, product_id, request_id, value) {
  if (!logging) return;
  const event = { action, product_id, ...(request_id ? { request_id } : {}), ...(value ? { value } : {}) };
  try {
    await ask("/events", { body: { session, events: [event] } });
  } catch (error) {
    if ([401, 404, 409].includes(error.status)) logging = false;
  }
}
