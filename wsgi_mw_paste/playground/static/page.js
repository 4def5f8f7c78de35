// The page's script: no library and no build step, what is written here is what runs.

// How long what the server saw of a request may take to get here, in milliseconds.
const PATIENCE = 5000;
// How often the log lines are asked for: while something is going on, and otherwise.
const OFTEN = 200;
const SELDOM = 1000;
// How many requests are shown, and how many lines are kept.
const MAX_REQUESTS = 12;
const MAX_LINES = 400;

const OTHER_NAME = { localhost: "127.0.0.1", "127.0.0.1": "localhost" };
const here = location.origin;
const other = here.replace(location.hostname, OTHER_NAME[location.hostname]);

const byId = (id) => document.getElementById(id);
const rest = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Return an element with a class and children. Text becomes text, never HTML.
function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
}

const unfolding = (title, text) =>
  make("details", "", make("summary", "", title), make("pre", "", text));
const code = (text) => make("code", "", text);

// Ask the page's own server; what it refuses is an Error with its reason.
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Error("The server does not answer.");
  }
  if (!response.ok) throw new Error(`The server says: ${(await response.text()).trim()}`);
  return response.json();
}

function say(id, text, isProblem = false) {
  byId(id).textContent = text;
  byId(id).classList.toggle("problem", isProblem);
}

// ---- Log lines: where "Follow a request" and "Try it" get theirs from

let lines = [];
let last = 0;
let polling = Promise.resolve();

// Get the new lines. One question at a time, so that none comes twice.
function poll() {
  polling = polling.catch(() => {}).then(async () => {
    const found = (await ask(`requests?after=${last}`)).lines;
    if (!found.length) return;
    last = found.at(-1).number;
    lines = [...lines, ...found].slice(-MAX_LINES);
    if (!paused()) show(found);
  });
  return polling;
}

// ---- Try it

const WAYS = ["with-type", "with-id", "with-token"];

function wanted() {
  const headers = WAYS.map(byId).filter((box) => box.checked).map((box) => box.value);
  const more = byId("more").value.split("\n").filter((line) => line.trim());
  return {
    endpoint: byId("endpoint").value,
    method: byId("method").value,
    headers: [...headers, ...more],
    credentials: byId("credentials").checked,
  };
}

// Send the real request; return what its script gets.
async function send(url, { method, headers, credentials }) {
  const set = new Headers();
  for (const header of headers) {
    const colon = header.indexOf(":");
    set.set(header.slice(0, colon).trim(), header.slice(colon + 1).trim());
  }
  try {
    const mode = credentials ? "include" : "same-origin";
    const response = await fetch(url, { method, headers: set, credentials: mode });
    const body = await response.text();
    return { allowed: true, status: response.status, readable: [...response.headers.keys()], body };
  } catch (error) {
    return { allowed: false, error: `${error}` };
  }
}

// Return what the server's access log has of a request: the preflight, and the actual one.
function witnessed(url) {
  const { pathname } = new URL(url);
  const seen = lines.map((line) => line.access).filter((access) => access?.path === pathname);
  // An OPTIONS of a script's own has a preflight before it, like any method but GET, HEAD and POST.
  const preflight = seen.find((access) => access.method === "OPTIONS");
  return { seen, preflight, actual: seen.find((access) => access !== preflight) };
}

// Return the steps: what the browser did, what explain says, and whether that is the same;
// null where nobody knows.
function compare(explained, got, { seen, preflight, actual }) {
  const expected = explained.steps.find((step) => step.why.length);
  const sent = explained.steps.find((step) => !step.why.length);
  const known = seen.length > 0;
  const did = (access) => {
    if (!known) return "Not known: no access record came. Is log_requests on?";
    return access ? `Sent. Answered with ${access.status}.` : "Not sent.";
  };
  const same = (mine, its) => (known ? mine?.status === its?.status : null);
  const answered = ({ status, failure }) =>
    `Answered with ${status}. The browser ${failure ? `stops: ${failure}` : "goes on"}.`;
  const headers = explained.readable.map((name) => name.toLowerCase());
  const hidden = explained.hidden.map((name) => name.toLowerCase());
  // What CORS itself is made of is for browsers; nobody misses it.
  const missed = hidden.filter((name) => !name.startsWith("access-control-"));
  return [
    {
      title: "Preflight",
      browser: did(preflight),
      explain: expected
        ? `Needed: ${expected.why.join(" and ")}. ${answered(expected)}`
        : "Not needed.",
      agree: same(preflight, expected),
    },
    {
      title: "Actual request",
      browser: did(actual),
      explain: sent ? `Sent. ${answered(sent)}` : "Not sent.",
      agree: same(actual, sent),
    },
    {
      title: "What the script gets",
      browser: got.allowed
        ? `The answer, ${got.status}. It may read ${list(got.readable)}.`
        : `${got.error}, and nothing else.`,
      explain: explained.allowed
        ? `The answer. It may read ${list(headers)}; not ${list(missed)}.`
        : "An error, and nothing else.",
      // What explain does not know of is the server's own: Date, say.
      agree:
        got.allowed === explained.allowed &&
        headers.every((name) => got.readable.includes(name)) &&
        !hidden.some((name) => got.readable?.includes(name)),
      body: got.body,
    },
  ];
}

const list = (names) => names.join(", ") || "no header";
const agrees = (steps) => steps.every((step) => step.agree);

async function tryIt(question) {
  const explained = await ask("explain", { method: "POST", body: JSON.stringify(question) });
  const got = await send(explained.url, question);
  // The records come after the answers, and from threads of their own.
  const end = performance.now() + PATIENCE;
  let steps;
  for (;;) {
    await poll();
    steps = compare(explained, got, witnessed(explained.url));
    if (agrees(steps) || performance.now() > end) break;
    await rest(OFTEN);
  }
  showTry(explained, steps);
}

function showTry(explained, steps) {
  const differs = steps.some((step) => step.agree === false);
  const verdict = byId("verdict");
  verdict.textContent = `${differs ? "According to explain: " : ""}${explained.verdict}`;
  verdict.className = differs ? "" : explained.allowed ? "good" : "bad";
  byId("sent").replaceChildren(
    code(`${explained.method} ${explained.url}`),
    " (the end of the path is new each time, so that no old answer is used)",
    explained.left_out.length
      ? `. Browsers let no script set ${explained.left_out.join(", ")}: left out.`
      : ".",
  );
  byId("steps").replaceChildren(...steps.map(showStep));
  byId("words").textContent = explained.text;
  byId("result").hidden = false;
  const outcome = explained.allowed ? "Allowed" : "Refused";
  if (differs) {
    say(
      "try-status",
      "They disagree: your browser did something else than explain says. What explain cannot know"
        + " of may be the cause: a proxy, the server itself, an extension or a whim of the browser,"
        + " or that another application than main is served. If it is none of these, please report"
        + " it.",
      true,
    );
  } else if (agrees(steps)) {
    say("try-status", `${outcome}. Your browser and explain agree, step by step.`);
  } else {
    say("try-status", `${outcome}. As far as is known, your browser and explain agree.`);
  }
}

function showStep({ title, browser, explain, agree, body }) {
  const side = (name, text) => make("div", "", make("dt", "", name), make("dd", "", text));
  const mark = agree === null ? "? not known" : agree ? "✓ the same" : "✗ not the same";
  const step = make(
    "li",
    agree === false ? "differs" : "",
    make("h4", "", title),
    make("dl", "sides", side("Your browser", browser), side("explain", explain)),
    make("p", agree === null ? "mark unknown" : "mark", mark),
  );
  if (body) {
    step.append(unfolding("The body", body));
  }
  return step;
}

byId("try-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  // Not disabled: a button that is loses the focus of whoever pressed it.
  if (byId("send").ariaDisabled === "true") return;
  byId("send").ariaDisabled = "true";
  say("try-status", "Trying…");
  try {
    await busy(tryIt(wanted()));
  } catch (error) {
    byId("result").hidden = true;
    say("try-status", error.message, true);
  }
  byId("send").ariaDisabled = "false";
});

// ---- Follow a request

const groups = new Map();
let running = 0;

const paused = () => byId("pause").ariaPressed === "true";

// Count what is going on, so that its lines are asked for often.
async function busy(promise) {
  running += 1;
  try {
    return await promise;
  } finally {
    running -= 1;
  }
}

function show(found) {
  byId("nothing").hidden = true;
  for (const line of found) {
    const group = groups.get(line.request_id) ?? begin(line);
    group.lines.append(showLine(line));
    if (line.access) {
      const { method, path, status, duration_ms: duration } = line.access;
      const item = `${method} ${path}: ${status ?? "no answer"} in ${duration} ms`;
      group.requests.append(make("li", "", item));
    }
  }
}

function begin(line) {
  const time = make("time", "", new Date(line.time * 1000).toLocaleTimeString());
  const group = { requests: make("ul"), lines: make("ol", "lines") };
  const head = make("h3", "", code(line.request_id), " ", time);
  group.item = make("li", "", head, group.requests, group.lines);
  groups.set(line.request_id, group);
  byId("requests").prepend(group.item);
  if (groups.size > MAX_REQUESTS) {
    const [oldest] = groups.keys();
    groups.get(oldest).item.remove();
    groups.delete(oldest);
  }
  return group;
}

function showLine({ level, logger, text }) {
  const [first, ...more] = text.split("\n");
  const said = make("div", "", make("span", "logger", logger), " ", first);
  if (more.length) {
    said.append(unfolding("Traceback", more.join("\n")));
  }
  const isHigh = ["WARNING", "ERROR", "CRITICAL"].includes(level);
  return make("li", "", make("span", isHigh ? "level high" : "level", level), said);
}

async function click(endpoint) {
  say("follow-status", `GET /${endpoint}…`);
  try {
    const response = await fetch(endpoint, { cache: "no-store" });
    await response.text();
    const id = response.headers.get("X-Request-Id");
    say("follow-status", `GET /${endpoint}: ${response.status}${id ? `, request id ${id}` : ""}`);
  } catch {
    say("follow-status", `GET /${endpoint}: no answer`, true);
  }
}

for (const button of document.querySelectorAll("[data-endpoint]")) {
  button.addEventListener("click", () => busy(click(button.dataset.endpoint)));
}

byId("pause").addEventListener("click", () => {
  byId("pause").ariaPressed = String(!paused());
  say("follow-status", paused() ? "Paused." : "Following.");
  if (!paused()) {
    byId("requests").replaceChildren();
    groups.clear();
    if (lines.length) show(lines);
  }
});

// For ever, but only while somebody looks.
async function follow() {
  let answers = true;
  for (;;) {
    if (!document.hidden) {
      try {
        await poll();
        if (!answers) say("follow-status", "The server answers again.");
        answers = true;
      } catch (error) {
        if (answers) say("follow-status", `${error.message} Trying again.`, true);
        answers = false;
      }
    }
    await rest(running ? OFTEN : SELDOM);
  }
}

// ---- What is in force

async function showForce() {
  try {
    const { file, nodes } = await ask("options");
    byId("file").textContent = file;
    byId("nodes").replaceChildren(...nodes.map(showNode));
  } catch (error) {
    say("force-status", error.message, true);
  }
}

function showNode({ name, what, place, options }) {
  const node = make("li", "", make("h3", "", name), make("p", "hint", `${what}, `, code(place)));
  if (options.length) node.append(make("dl", "options", ...options.map(showOption)));
  return node;
}

function showOption({ option, text, place, is_default: isDefault }) {
  return make(
    "div",
    isDefault ? "default" : "",
    make("dt", "", code(option)),
    make("dd", "", text ? code(text) : "empty"),
    make("dd", "", place),
  );
}

// ---- Start

byId("here").textContent = here;
byId("other").textContent = other;
byId("swap").href = `${other}${location.pathname}`;
byId("swap").textContent = `open ${other}`;
showForce();
follow();
