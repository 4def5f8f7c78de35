// The page's script. It has no library and no build step: browsers run it as it is.

// How long to wait for the server's log lines about a request, in milliseconds.
const PATIENCE = 5000;
// How often to ask for log lines, in milliseconds: during a request, and otherwise.
const OFTEN = 200;
const SELDOM = 1000;
// How many requests are shown, and how many log lines are kept.
const MAX_REQUESTS = 12;
const MAX_LINES = 400;
// How much of a bad line is shown, in characters.
const MAX_SHOWN = 60;

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

// Ask the page's own server. If it refuses, throw an Error with its reason.
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

// ---- Log lines, for "Try it" and "Follow a request"

let lines = [];
let last = 0;
let polling = Promise.resolve();

// Get the new lines. One request at a time, so that no line comes twice.
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

const BOXES = ["with-type", "with-id", "with-token"];
const split = (line) => {
  const [name, ...value] = line.split(":");
  return [name.trim(), value.join(":").trim()];
};

// Return what the form says, or null if it has a line that is not a header. That line is named
// beside its field.
function wanted() {
  const lines = byId("more").value.split("\n");
  const bad = lines.findIndex((line) => line.trim() && !isHeader(line));
  byId("more").ariaInvalid = String(bad !== -1);
  say("more-problem", "");
  if (bad !== -1) {
    const shown = lines[bad].trim().slice(0, MAX_SHOWN);
    say("more-problem", `Line ${bad + 1}, “${shown}”, is not a header. Write NAME: VALUE.`, true);
    byId("more").focus();
    return null;
  }
  const checked = BOXES.map(byId).filter((box) => box.checked).map((box) => box.value);
  return {
    endpoint: byId("endpoint").value,
    method: byId("method").value,
    headers: [...checked, ...lines.filter((line) => line.trim())],
    credentials: byId("credentials").checked,
  };
}

// Fetch's rules for names and values are the browser's business.
function isHeader(line) {
  try {
    new Headers([split(line)]);
    return line.includes(":");
  } catch {
    return false;
  }
}

// Send the real request. Return what the script gets.
async function send(url, { method, headers, credentials }) {
  const set = new Headers();
  for (const header of headers) set.set(...split(header));
  try {
    const mode = credentials ? "include" : "same-origin";
    const response = await fetch(url, { method, headers: set, credentials: mode });
    const body = await response.text();
    return { allowed: true, status: response.status, readable: [...response.headers.keys()], body };
  } catch (error) {
    return { allowed: false, error: `${error}` };
  }
}

// Return the access records of a try: of the preflight, and of the actual request.
function witnessed(url) {
  const { pathname } = new URL(url);
  const seen = lines.map((line) => line.access).filter((access) => access?.path === pathname);
  // An OPTIONS request that a script sends has a preflight, too: it is the first of the two.
  const preflight = seen.find((access) => access.method === "OPTIONS");
  return { seen, preflight, actual: seen.find((access) => access !== preflight) };
}

// Return the steps: what the browser did, what explain predicts, and whether the two agree; null if
// that is unknown.
function compare(explained, got, { seen, preflight, actual }) {
  const expected = explained.steps.find((step) => step.why.length);
  const sent = explained.steps.find((step) => !step.why.length);
  const known = seen.length > 0;
  const did = (access) => {
    if (!known) return "Unknown: there is no access record. Is log_requests on?";
    return access ? `Sent. Status ${access.status}.` : "Not sent.";
  };
  const same = (mine, its) => (known ? mine?.status === its?.status : null);
  const answered = ({ status, failure }) =>
    `Status ${status}. The browser ${failure ? `stops: ${failure}` : "goes on"}.`;
  const headers = explained.readable.map((name) => name.toLowerCase());
  const hidden = explained.hidden.map((name) => name.toLowerCase());
  // Scripts do not miss the headers of CORS itself.
  const missed = hidden.filter((name) => !name.startsWith("access-control-"));
  const exceptions = missed.length ? `, but not ${list(missed)}` : "";
  return [
    {
      title: "Preflight",
      browser: did(preflight),
      explain: expected
        ? `Sent, because ${expected.why.join(" and ")}. ${answered(expected)}`
        : "Not sent.",
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
        ? `The response, status ${got.status}. It may read ${list(got.readable)}.`
        : `Only an error: ${got.error}.`,
      explain: explained.allowed
        ? `The response. It may read ${list(headers)}${exceptions}.`
        : "Only an error.",
      // What explain cannot know are the server's own headers, such as Date.
      agree:
        got.allowed === explained.allowed &&
        headers.every((name) => got.readable.includes(name)) &&
        !hidden.some((name) => got.readable?.includes(name)),
      body: got.body,
    },
  ];
}

const list = (names) => names.toSorted().join(", ") || "no header";
const agrees = (steps) => steps.every((step) => step.agree);

async function tryIt(question) {
  const explained = await ask("explain", { method: "POST", body: JSON.stringify(question) });
  const got = await send(explained.url, question);
  // Records may be written after the response has been sent.
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
  const color = explained.allowed ? "good" : "bad";
  say("verdict", `${differs ? "According to explain: " : ""}${explained.verdict}`);
  byId("verdict").className = differs ? "status" : `status ${color}`;
  const dropped = explained.left_out.join(", ");
  byId("sent").replaceChildren(
    code(`${explained.method} ${explained.url}`),
    ". The path ends differently each time, so that no cached response is used.",
    dropped ? ` Browsers do not let scripts set ${dropped}, so it was left out.` : "",
  );
  byId("steps").replaceChildren(...steps.map(showStep));
  byId("words").textContent = explained.text.trimEnd();
  byId("result").hidden = false;
  if (differs) {
    say(
      "try-status",
      "Your browser and explain disagree. Some causes are invisible to explain: a proxy, the server"
        + " itself, a browser extension, or that the server runs another application of the file"
        + " than main. If it is none of these, please report it.",
      true,
    );
  } else if (agrees(steps)) {
    say("try-status", "Your browser and explain agree on every step.");
  } else {
    say("try-status", "Your browser and explain agree on every step that the server logs.");
  }
}

function showStep({ title, browser, explain, agree, body }) {
  const side = (name, text) => make("div", "", make("dt", "", name), make("dd", "", text));
  const mark = agree === null ? "? unknown" : agree ? "✓ same" : "✗ different";
  const step = make(
    "li",
    agree === false ? "differs" : "",
    make("h3", "", title),
    make("dl", "sides", side("Your browser", browser), side("explain", explain)),
    make("p", agree === null ? "mark unknown" : "mark", mark),
  );
  if (body) {
    step.append(unfolding("Body", body));
  }
  return step;
}

// Remove the result of the last try.
function forget() {
  byId("result").hidden = true;
  byId("verdict").className = "status";
  say("verdict", "");
}

byId("try-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  // Not disabled, or the button would lose the keyboard focus.
  if (byId("send").ariaDisabled === "true") return;
  byId("send").ariaDisabled = "true";
  const question = wanted();
  say("try-status", question ? "Trying…" : "");
  try {
    if (question) await busy(tryIt(question));
    else forget();
  } catch (error) {
    forget();
    say("try-status", error.message, true);
  }
  byId("send").ariaDisabled = "false";
});

// ---- Follow a request

const groups = new Map();
let running = 0;

const paused = () => byId("pause").ariaPressed === "true";

// Count the requests that are running: during them, log lines are asked for often.
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
  byId("requests").hidden = false;
  for (const line of found) {
    const group = groups.get(line.request_id) ?? begin(line);
    group.lines.append(showLine(line));
    if (line.access) {
      const { method, path, status, duration_ms: duration } = line.access;
      const item = `${method} ${path}: ${status ?? "no response"} in ${duration} ms`;
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
    say("follow-status", `GET /${endpoint}: no response`, true);
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

// Without end, but only while the page is visible.
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

// ---- Settings in effect

async function showSettings() {
  try {
    const { file, nodes } = await ask("options");
    byId("file").textContent = file;
    byId("nodes").replaceChildren(...nodes.map(showNode));
  } catch (error) {
    say("settings-status", error.message, true);
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
    make("dd", "", text ? code(text) : "(empty)"),
    make("dd", "", place),
  );
}

// ---- Start

byId("here").textContent = here;
byId("other").textContent = other;
byId("swap").href = `${other}${location.pathname}`;
byId("swap").textContent = `open ${other}`;
showSettings();
follow();
