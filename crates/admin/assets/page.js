// What the page does: asks for the numbers, draws them, and sends changes. Every text is put in as text.

const SVG = "http://www.w3.org/2000/svg";
const base = new URL(".", import.meta.url);
// Who opened the page with the token in its address: no request may name a URL with one.
base.username = base.password = "";
const $ = (id) => document.getElementById(id);

// Making elements. `props` sets properties, `data-`, `aria-` and the like as attributes.
function el(name, props = {}, ...children) {
  return fill(document.createElement(name), props, children);
}
function svg(name, props = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(props)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
function fill(made, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (key.includes("-") || key === "role" || key === "scope") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Words for numbers.
const whole = new Intl.NumberFormat("en");
const count = (n) => (n >= 1e6 ? `${(n / 1e6).toFixed(1)} M` : whole.format(Math.round(n)));
const percent = (ratio) => (ratio === null || ratio === undefined ? "–" : `${(ratio * 100).toFixed(ratio > 0.995 && ratio < 1 ? 2 : 1)} %`);
function bytes(n) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (n < 1024 || unit === "GiB") return `${n < 10 && unit !== "B" ? n.toFixed(1) : Math.round(n)} ${unit}`;
    n /= 1024;
  }
}
function time(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 10) return `${ms.toFixed(ms < 1 ? 2 : 1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60e3) return `${(ms / 1000).toFixed(ms < 10e3 ? 1 : 0)} s`;
  if (ms < 3600e3) return `${Math.floor(ms / 60e3)} min ${Math.floor((ms % 60e3) / 1000)} s`;
  if (ms < 48 * 3600e3) return `${Math.floor(ms / 3600e3)} h ${Math.floor((ms % 3600e3) / 60e3)} min`;
  return `${Math.floor(ms / 86400e3)} d`;
}
const reasons = (of) => Object.entries(of).sort((a, b) => b[1] - a[1]).slice(0, 4).map(([word, n]) => `${word} ${count(n)}`).join(", ");

let saying;
function say(text) {
  $("said").textContent = text;
  clearTimeout(saying);
  saying = setTimeout(() => { $("said").textContent = ""; }, 6000);
}

// Asking.
async function ask(path, change) {
  const stop = AbortSignal.timeout(change ? 120e3 : 8e3);
  const options = change === undefined ? { signal: stop } : {
    signal: stop,
    method: "POST",
    headers: { "content-type": "application/json", "x-larder-admin": "1" },
    body: JSON.stringify(change),
  };
  const response = await fetch(new URL(path, base), { credentials: "same-origin", cache: "no-store", ...options });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `it answered ${response.status}`);
  return answer;
}
async function during(button, work) {
  button.disabled = true;
  try {
    return await work();
  } catch (error) {
    say(`That failed: ${error.message}`);
  } finally {
    button.disabled = false;
  }
}

// The readings of each layer: [at, requests a second, hit ratio, run, look-up].
const series = new Map();
let next = 0;
let length = 300;
function take(fresh) {
  length = fresh.length;
  if (fresh.next < next) series.clear();
  next = fresh.next;
  for (const sample of fresh.samples) {
    for (const [name, values] of Object.entries(sample.layers)) {
      if (!series.has(name)) series.set(name, []);
      const own = series.get(name);
      own.push([sample.at_ms, ...values]);
      if (own.length > length) own.shift();
    }
  }
}

// A line through the values that are there, within the time from `begin` to `end`.
function line(points, which, begin, end, top) {
  let drawn = "";
  let open = false;
  for (const point of points) {
    const value = point[which];
    if (value === null || point[0] < begin) { open = false; continue; }
    const x = ((point[0] - begin) / Math.max(end - begin, 1)) * 300;
    const y = 57 - (Math.min(value / top, 1) * 54);
    // One value alone is a dash, which can be seen.
    if (!open) drawn += `M${Math.max(x - 2, 0).toFixed(1)} ${y.toFixed(1)}`;
    drawn += `L${x.toFixed(1)} ${y.toFixed(1)}`;
    open = true;
  }
  return drawn;
}
const values = (points, which) => points.map((point) => point[which]).filter((value) => value !== null);
const lately = (points, which) => values(points.slice(-3), which).at(-1) ?? null;

function chart(kind, label) {
  const path = svg("path", { class: kind });
  const rule = svg("path", { class: "rule", d: "M0 30L300 30" });
  const drawing = svg("svg", { class: "chart", viewBox: "0 0 300 60", preserveAspectRatio: "none", role: "img" }, rule, path);
  const now = el("b");
  const caption = el("span");
  const figure = el("figure", {}, drawing, el("figcaption", {}, caption, now));
  return { figure, draw(text, value, d, told) {
    caption.textContent = text;
    now.textContent = value;
    path.setAttribute("d", d || "M0 0");
    drawing.setAttribute("aria-label", `${label}: ${told}`);
  } };
}

// One card for each layer, made once and then changed, so that the focus stays where it is.
const cards = new Map();
function card(layer) {
  const title = el("h3", { textContent: layer.name });
  const button = el("button", { type: "button", className: "switch", role: "switch" }, "on");
  button.setAttribute("aria-label", `the layer ${layer.name}`);
  button.addEventListener("click", () => flip(button, layer.name));
  const ratio = chart("ratio", `Hit ratio of ${layer.name}`);
  const run = chart("time", `Time of runs of ${layer.name}`);
  const numbers = el("p", { className: "reasons" });
  const why = el("p", { className: "reasons" });
  const box = el("article", { className: "card" }, el("div", { className: "line" }, title, layer.is_layer ? button : el("span", { className: "pill" }, "function")), ratio.figure, run.figure, numbers, why);
  return { box, button, ratio, run, numbers, why };
}
function drawLayers(overview) {
  const end = overview.now_ms;
  for (const layer of overview.layers) {
    if (!cards.has(layer.name)) {
      cards.set(layer.name, card(layer));
      $("why").elements.cache.append(el("option", { textContent: layer.name, value: layer.name }));
      $("cards").append(cards.get(layer.name).box);
    }
    const { box, button, ratio, run, numbers, why } = cards.get(layer.name);
    const points = series.get(layer.name) ?? [];
    const begin = Math.max(points[0]?.[0] ?? end, end - 600e3);
    const from = Math.min(begin, end - 60e3);
    const span = end - from < 90e3 ? "minute" : `${Math.round((end - from) / 60e3)} min`;
    const ratios = values(points, 2);
    const runs = values(points, 3);
    const top = Math.max(10, ...runs) * 1.1;
    const now = lately(points, 2);
    const lowest = ratios.length ? percent(Math.min(...ratios)) : "–";
    ratio.draw(`hit ratio, last ${span}`, percent(now), line(points, 2, from, end, 1), `now ${percent(now)}, lowest ${lowest}`);
    const longest = runs.length ? time(Math.max(...runs)) : "–";
    run.draw(`95 % of runs within, at most ${time(top / 1.1)}`, time(lately(points, 3)), line(points, 3, from, end, top), `longest ${longest}`);
    button.setAttribute("aria-checked", layer.is_on);
    button.textContent = layer.is_on ? "on" : "off";
    box.classList.toggle("off", !layer.is_on || !overview.enabled);
    numbers.textContent = `${count(lately(points, 1) ?? 0)} requests/s · ${count(layer.requests)} in all, ${percent(layer.hit_ratio)} hits · ${count(layer.fills)} ${layer.fills === 1 ? "run" : "runs"}, ${count(layer.slow_fills)} slow, ${count(layer.failed_fills)} failed` + (layer.hit_us === null ? "" : ` · hit looked up in ${layer.hit_us.toFixed(1)} µs`);
    const parts = [["misses", layer.misses], ["past the cache", layer.bypasses], ["not kept", layer.uncacheable]];
    why.textContent = parts.map(([word, of]) => [word, reasons(of)]).filter(([, text]) => text).map(([word, text]) => `${word}: ${text}`).join(" · ");
  }
  $("all").setAttribute("aria-checked", overview.enabled);
}

function tile(label, value) {
  return el("div", {}, el("dt", { textContent: label }), el("dd", { textContent: value }));
}
function drawNow(overview) {
  let [perSecond, weight, hits, slowest] = [0, 0, 0, null];
  for (const points of series.values()) {
    perSecond += lately(points, 1) ?? 0;
    for (const point of points.slice(-30)) {
      if (point[2] !== null) { weight += point[1]; hits += point[1] * point[2]; }
      if (point[3] !== null) slowest = Math.max(slowest ?? 0, point[3]);
    }
  }
  const store = overview.store;
  $("now").replaceChildren(
    tile("requests a second", count(perSecond)),
    tile("hits, last minute", percent(weight ? hits / weight : null)),
    tile("slowest runs, last minute", time(slowest)),
    tile("entries in memory", count(store.entries)),
    tile(`of ${bytes(store.capacity)} memory`, store.capacity ? percent(store.bytes / store.capacity) : "–"),
    tile("invalidations owed", count(store.owed + overview.pending)),
  );
}

function pairs(list, all) {
  list.replaceChildren(...all.filter(([, value]) => value !== null).flatMap(([name, value]) => [el("dt", { textContent: name }), el("dd", {}, value)]));
}
const pill = (text, kind) => el("span", { className: `pill ${kind}`, textContent: text });
function drawState(overview) {
  const store = overview.store;
  pairs($("store"), [
    ["Store", store.name],
    ["Memory", `${bytes(store.bytes)} of ${bytes(store.capacity)}, ${count(store.entries)} entries`],
    ["Breaker", store.breaker && pill(store.breaker.replace("_", " "), store.breaker === "closed" ? "good" : store.breaker === "open" ? "bad" : "warn")],
    ["Feed", store.feed === null ? null : pill(store.feed ? "heard" : "not heard: hits ask the server", store.feed ? "good" : "warn")],
    ["Failure", store.failure],
    ["Owed to the server", store.breaker ? `${store.owed} invalidations` : null],
    ["To be retried", `${overview.pending} tags`],
  ]);
  const rows = overview.locks.map((lock) => row([
    ["Lock", el("code", { textContent: lock.key })],
    ["Have it", String(lock.holding)],
    ["Wait", String(lock.waiting)],
    ["Left", lock.remaining_ms === null ? "–" : time(lock.remaining_ms)],
  ]));
  table("locks", rows);
  $("none-locks").hidden = rows.length > 0;
}

function row(cells) {
  return el("tr", {}, ...cells.map(([label, content, className = ""]) => el("td", { className, "data-label": label }, content)));
}
function table(id, rows) {
  $(id).hidden = rows.length === 0;
  $(id).tBodies[0].replaceChildren(...rows);
}
function tags(all, more) {
  const shown = all.map((tag) => el("span", { className: "tag" }, tag.kind === "tag" ? "" : el("i", { textContent: `${tag.kind} ` }), tag.kind === "path" && tag.text === "" ? "/" : tag.text));
  if (more) shown.push(el("span", { className: "tag", textContent: `and ${more} more` }));
  return el("div", { className: "tags" }, ...shown);
}
function drawPast(overview) {
  const rows = overview.invalidations.map((past) => row([
    ["When", `${time(Math.max(0, overview.now_ms - past.at_ms))} ago`, "number"],
    ["By", past.action ?? past.source],
    ["What", past.kind === "all" ? "everything" : tags(past.tags, past.more_tags)],
    ["Known tags", past.known === null ? pill("failed", "bad") : `${past.known}${past.strength === "soft" ? ", softly" : ""}`],
    ["Took", time(past.took_ms), "number"],
  ]));
  table("invalidations", rows);
  $("none-past").hidden = rows.length > 0;
}

// Entries.
const states = { fresh: "good", stale: "warn", if_error: "warn", expired: "", forgotten: "bad", unknown: "" };
function name(entry) {
  const box = el("div", {}, el("code", { textContent: entry.uri ?? entry.key.filter(Boolean).join(" · ") }));
  const more = [entry.what === "response" ? entry.status : entry.what, entry.identity === null ? null : `of ${entry.identity}`];
  box.append(el("div", { className: "quiet", textContent: more.filter(Boolean).join(", ") }));
  return box;
}
const implied = new Set(["layer", "uri", "path", "identity", "target"]);
function entryRow(entry) {
  const why = el("button", { type: "button", className: "small", textContent: "Explain" });
  const forget = el("button", { type: "button", className: "small danger", textContent: "Forget" });
  why.setAttribute("aria-label", `Explain ${entry.uri ?? ""}`);
  forget.setAttribute("aria-label", `Forget ${entry.uri ?? ""}`);
  why.hidden = forget.hidden = entry.uri === null;
  why.addEventListener("click", () => {
    const form = $("why").elements;
    [form.uri.value, form.cache.value, form.method.value] = [entry.uri, entry.cache ?? "", "GET"];
    $("why").requestSubmit();
    $("explain").scrollIntoView();
  });
  forget.addEventListener("click", () => during(forget, async () => {
    await ask("api/invalidate", { kind: "uri", value: entry.uri });
    say(`Forgotten: ${entry.uri}`);
    await search();
  }));
  return row([
    ["State", pill(entry.state.replace("_", " "), states[entry.state])],
    ["Entry", name(entry)],
    ["Layer", entry.cache ?? "–"],
    ["Age", time(entry.age_ms), "number"],
    ["Left", entry.state === "fresh" ? time(entry.left_ms) : "–", "number"],
    ["Size", bytes(entry.bytes), "number"],
    ["Tags", tags(entry.tags.filter((tag) => !implied.has(tag.kind)), entry.more_tags)],
    ["", el("div", { className: "todo" }, why, forget), "bare"],
  ]);
}
async function search() {
  const form = $("search").elements;
  const asked = new URLSearchParams({ by: form.by.value, q: form.q.value });
  const found = await ask(`api/entries?${asked}`);
  const n = found.entries.length;
  $("count").textContent = found.listed
    ? `${n} ${n === 1 ? "entry" : "entries"}${found.more ? ", and maybe more" : ""}; ${count(found.looked_at)} looked at in this process`
    : "This store cannot show its entries.";
  table("found", found.entries.map(entryRow));
}

// Explanations.
function explained(entry, now) {
  const by = entry.stale_by;
  const list = el("dl", { className: "pairs" });
  pairs(list, [
    ["State", pill(entry.state.replace("_", " "), states[entry.state])],
    ["Layer", entry.cache],
    ["Filled", `${time(entry.age_ms)} ago, in ${time(entry.fill_ms)}`],
    ["Identity", entry.identity],
    ["Stamp", entry.stamp],
    ["Made stale by", by && el("span", {}, `${by.action ?? by.source}, ${time(Math.max(0, now - by.at_ms))} ago: `, by.kind === "all" ? "everything" : tags(by.tags, by.more_tags))],
    ["Key", el("code", { textContent: entry.key.map((part) => (part === null ? "∅" : JSON.stringify(part))).join(" ") })],
    ["Tags", tags(entry.tags, entry.more_tags)],
  ]);
  return el("div", { className: "entry" }, list);
}
async function explain() {
  const form = $("why").elements;
  const asked = new URLSearchParams({ method: form.method.value, uri: form.uri.value, cache: form.cache.value });
  const answer = await ask(`api/explain?${asked}`);
  const now = Date.now();
  const fills = answer.fills.map((run) => el("li", {}, `${time(Math.max(0, now - run.at_ms))} ago: `, el("code", { textContent: run.cache }), ` ran (${run.reason}) in ${time(run.took_ms)}, ${run.mode}: ${run.not_kept ? `not kept, ${run.not_kept}` : run.result}`));
  $("because").replaceChildren(
    el("p", { className: "says", textContent: answer.says }),
    ...answer.entries.map((entry) => explained(entry, now)),
    el("ul", { className: "plain" }, ...fills),
  );
}

// The graph: actions on the left, what they make stale on the right. The table below it says the same.
function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
function graph(answer) {
  const rows = Math.max(answer.actions.length, answer.caches.length, 1);
  const y = (at, of) => (at + 0.5) * ((rows * 34) / of);
  const box = (x, at, of, text) => svg("g", {}, svg("title", {}, text), svg("rect", { x, y: y(at, of) - 13, width: 210, height: 26, rx: 5 }), svg("text", { x: x + 10, y: y(at, of) + 4 }, cut(text, 27)));
  const lines = answer.arrows.map((arrow) => {
    const [from, to] = [y(arrow.action, answer.actions.length), y(arrow.cache, answer.caches.length)];
    return svg("path", { d: `M211 ${from}C300 ${from} 300 ${to} 388 ${to}` }, svg("title", {}, arrow.by.join(", ").replaceAll("`", "")));
  });
  const left = answer.actions.map((action, at) => box(1, at, answer.actions.length, action.name));
  const right = answer.caches.map((cache, at) => box(389, at, answer.caches.length, cache.name));
  return svg("svg", { class: "graph", viewBox: `0 0 600 ${rows * 34}`, "aria-hidden": "true" }, ...lines, ...left, ...right);
}
async function actions() {
  const answer = await ask("api/actions");
  const some = answer.actions.length > 0;
  $("graph").replaceChildren(some ? graph(answer) : el("p", { className: "quiet", textContent: "There are no actions." }));
  const plain = (text) => text.replaceAll("`", "");
  const codes = (texts) => el("div", { className: "tags" }, ...texts.map((text) => el("span", { className: "tag", textContent: plain(text) })));
  table("rules", answer.actions.map((action, at) => row([
    ["Action", el("code", { textContent: action.name })],
    ["Forgets", codes(action.forgets)],
    ["Makes stale", codes(answer.arrows.filter((arrow) => arrow.action === at).map((arrow) => answer.caches[arrow.cache].name))],
  ])));
  $("warnings").replaceChildren(...answer.warnings.map((warning) => el("li", { textContent: plain(warning) })));
}
async function health() {
  const answer = await ask("api/health");
  $("health").replaceChildren(...answer.dependencies.map((one) => el("li", {}, pill(one.status, one.status === "up" ? "good" : "bad"), ` ${one.role} `, el("code", { textContent: one.name }), ` in ${time(one.latency_ms)}`, one.message ? `: ${one.message}` : "")));
}

// Changes.
function flip(button, cache) {
  const on = button.getAttribute("aria-checked") !== "true";
  const what = cache === null ? "All layers" : cache;
  if (!on && !confirm(`Switch ${what} off? Its requests go to their handlers then.`)) return;
  during(button, async () => {
    await ask("api/switch", { cache, on });
    say(`${what}: ${on ? "on" : "off"}`);
    await poll();
  });
}
$("all").addEventListener("click", () => flip($("all"), null));
function onSubmit(id, work) {
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    during($(id).querySelector("button"), work);
  });
}
onSubmit("search", search);
onSubmit("why", explain);
$("forget").elements.kind.addEventListener("change", (event) => {
  const value = $("forget").elements.value;
  value.disabled = event.target.value === "all";
  value.required = !value.disabled;
});
onSubmit("forget", async () => {
  const form = $("forget").elements;
  const kind = form.kind.value;
  if (kind === "all" && !confirm("Forget everything? All handlers run anew.")) return;
  const done = await ask("api/invalidate", { kind, value: kind === "all" ? "" : form.value.value, soft: form.soft.checked });
  say(`Forgotten; ${done.known} of the tags named were carried by an entry.`);
  await poll();
});
onSubmit("warm", async () => {
  const paths = $("warm").elements.paths.value.split("\n").map((path) => path.trim()).filter(Boolean);
  const done = await ask("api/warm", { paths });
  $("warmed").replaceChildren(...done.warmed.map((one) => el("li", {}, el("code", { textContent: one.path }), ` ${one.error ?? `${one.status}, ${one.x_cache ?? "no cache"}`}, ${time(one.took_ms)}`)));
});

// The round.
let failing = 0;
async function poll() {
  const link = $("link");
  try {
    const overview = await ask(`api/overview?after=${next}`);
    take(overview.series);
    drawNow(overview);
    drawLayers(overview);
    drawState(overview);
    drawPast(overview);
    $("warm").hidden = !overview.warms;
    failing = 0;
    const broken = overview.store.breaker === "open" || overview.store.owed + overview.pending > 0;
    const state = !overview.enabled ? ["switched off", "warn"] : broken ? ["degraded", "bad"] : ["live", "good"];
    if (link.textContent !== state[0]) [link.textContent, link.className] = [state[0], `pill ${state[1]}`];
  } catch (error) {
    failing += 1;
    if (failing > 1) [link.textContent, link.className] = [`no answer: ${error.message}`, "pill bad"];
  }
}
async function every(ms, work) {
  for (;;) {
    if (!document.hidden) await work().catch(() => {});
    await new Promise((done) => { setTimeout(done, ms); });
  }
}
every(2000, poll);
every(10e3, health);
every(30e3, actions);
