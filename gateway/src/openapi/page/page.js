// Shows an OpenAPI document: the index, every operation with its schemas, and a form that sends it. Everything is made as
// elements, never as markup, so that no word of a contract can become a script.

const VERBS = ["get", "put", "post", "delete", "patch", "options", "head", "trace"];
const state = document.getElementById("state");
const main = document.getElementById("content");
const index = document.getElementById("index");
const address = document.body.dataset.document;

/** The operators' token, kept in this page only. */
let token = "";
let api;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== ""));
  return made;
}

/** Paragraphs, lists and `code` of Markdown; the rest stays as it is. */
function words(text = "") {
  const blocks = text.split(/\n{2,}/).filter(Boolean);
  return element("div", { class: "words" }, blocks.flatMap(block));
}

function block(text) {
  const parts = [];
  for (const line of text.split("\n")) {
    const item = /^\s*[-*] (.*)$/.exec(line);
    const last = parts.at(-1);
    if (item) {
      if (last?.items) last.items.push(item[1]);
      else parts.push({ items: [item[1]] });
    } else if (last?.items && /^\s+\S/.test(line)) last.items.push(`${last.items.pop()} ${line.trim()}`);
    else if (last?.line !== undefined) last.line += ` ${line}`;
    else parts.push({ line });
  }
  return parts.map((part) =>
    part.items
      ? element("ul", {}, part.items.map((item) => element("li", {}, inline(item))))
      : element("p", {}, inline(part.line)),
  );
}

function inline(text) {
  return text.split(/(`[^`]+`)/).map((part) => (/^`.+`$/.test(part) ? element("code", {}, part.slice(1, -1)) : part));
}

function resolve(value) {
  for (let steps = 0; value?.$ref && steps < 10; steps += 1) {
    const { $ref, ...beside } = value;
    const target = $ref.slice(2).split("/").reduce((at, key) => at?.[key.replace(/~1/g, "/").replace(/~0/g, "~")], api);
    value = { ...target, ...beside };
  }
  return value ?? {};
}

const nameOf = (schema) => schema?.$ref?.split("/").at(-1);

/** What kind of value it is, in a few words. */
function kind(schema = {}) {
  const whole = resolve(schema);
  const title = whole.title ?? nameOf(schema);
  if ("const" in whole) return JSON.stringify(whole.const);
  if (whole.type === "array") return `list of ${kind(whole.items)}`;
  if (whole.type === "object" && whole.additionalProperties?.type) return `map of ${kind(whole.additionalProperties)}`;
  if (whole.type === "object" && whole.additionalProperties?.$ref) return `map of ${kind(whole.additionalProperties)}`;
  if (whole.anyOf) return whole.anyOf.map(kind).join(" or ");
  if (whole.allOf) return kind(whole.allOf[0]);
  if (title) return title;
  const type = [whole.type ?? "any"].flat().join(" or ");
  return whole.format ? `${type} (${whole.format})` : type;
}

/** The schema whose fields are worth showing below a value. */
function inner(schema) {
  const whole = resolve(schema);
  if (whole.type === "array") return inner(whole.items ?? {});
  if (typeof whole.additionalProperties === "object") return inner(whole.additionalProperties);
  if (whole.allOf) return inner(whole.allOf[0]);
  return whole.properties || whole.anyOf || whole.enum ? schema : undefined;
}

function constraints(whole) {
  const said = [];
  if (whole.pattern) said.push(["matches", whole.pattern]);
  if (whole.minLength) said.push(["at least", `${whole.minLength} characters`]);
  if (whole.maxLength) said.push(["at most", `${whole.maxLength} characters`]);
  if (whole.minimum !== undefined) said.push(["from", String(whole.minimum)]);
  if (whole.contentEncoding) said.push(["encoded as", whole.contentEncoding]);
  if (whole.examples?.length) said.push(["such as", JSON.stringify(whole.examples[0])]);
  if (whole.items) said.push(...constraints(resolve(whole.items)).filter(([word]) => word === "matches"));
  return said;
}

function marks(schema, isRequired) {
  const made = [];
  if (isRequired) made.push(element("span", { class: "mark must" }, "required"));
  if (schema.readOnly) made.push(element("span", { class: "mark" }, "in answers only"));
  if (schema.writeOnly) made.push(element("span", { class: "mark" }, "in requests only"));
  if (schema.deprecated) made.push(element("span", { class: "mark" }, "deprecated"));
  return made;
}

function field(name, schema, isRequired, description) {
  const own = resolve(schema);
  const text = description ?? schema.description ?? (schema.$ref ? "" : own.description);
  const limits = constraints(own).map(([word, value]) =>
    element("span", { class: "kind" }, `${word} `, element("code", {}, value)),
  );
  const head = element(
    "div",
    { class: "field-head" },
    element("span", { class: "name" }, name),
    element("span", { class: "kind" }, kind(schema)),
    marks(schema, isRequired),
    limits,
  );
  return element("li", {}, head, text ? words(text) : "", nested(schema));
}

/** Opened when somebody asks, so that messages may contain themselves. */
function nested(schema) {
  const below = inner(schema);
  if (!below) return "";
  const shown = element("details", { class: "nested" }, element("summary", {}, `Show ${kind(below)}`));
  shown.addEventListener("toggle", () => shown.childElementCount === 1 && shown.append(shape(below)), { once: true });
  return shown;
}

function shape(schema) {
  const whole = resolve(schema);
  const made = element("div", { class: "block" });
  if (whole.description) made.append(words(whole.description));
  if (whole.type === "array") {
    made.append(element("p", { class: "kind" }, kind(whole)), shape(whole.items ?? {}));
  } else if (whole.properties && Object.keys(whole.properties).length > 0) {
    const required = whole.required ?? [];
    const fields = Object.entries(whole.properties).map(([name, one]) => field(name, one, required.includes(name)));
    made.append(element("ul", { class: "fields" }, fields));
  } else if (whole.anyOf) {
    const choices = whole.anyOf.map((one, number) => field(`${number + 1}.`, one.allOf ? one.allOf[0] : one, false));
    made.append(element("p", { class: "kind" }, "One of:"), element("ul", { class: "fields" }, choices));
  } else if (whole.enum && !whole.description) {
    made.append(element("p", { class: "kind" }, whole.enum.join(", ")));
  } else if (!whole.enum) {
    made.append(element("p", { class: "kind" }, whole.properties ? "An object without fields." : kind(whole)));
  }
  return made;
}

function contents(content = {}) {
  return Object.entries(content).map(([media, { schema = {} }]) =>
    element("div", { class: "block" }, element("p", { class: "mono kind" }, media), shape(schema)),
  );
}

function parameters(list) {
  if (list.length === 0) return "";
  const items = list.map((one) =>
    field(one.name, one.schema ?? one.content?.["application/json"]?.schema ?? {}, one.required, one.description ?? ""),
  );
  const places = list.map((one) => one.in);
  items.forEach((item, at) => item.querySelector(".kind").append(`, in the ${places[at]}`));
  return element("div", { class: "block" }, element("h3", {}, "Parameters"), element("ul", { class: "fields" }, items));
}

function responses(list) {
  const items = Object.entries(list).map(([status, one]) => {
    const response = resolve(one);
    const head = element("summary", {}, element("span", { class: "name" }, status), ` ${response.description ?? ""}`);
    const made = element("details", { class: "response", open: status.startsWith("2") }, head);
    const headers = Object.entries(response.headers ?? {}).map(([name, header]) =>
      field(name, resolve(header).schema ?? {}, false, resolve(header).description),
    );
    made.append(
      element("div", { class: "block" }, contents(response.content), headers.length > 0 ? element("ul", { class: "fields" }, headers) : ""),
    );
    return made;
  });
  return element("div", { class: "block" }, element("h3", {}, "Answers"), items);
}

/** A value to begin with: required fields, or the first few. */
function example(schema, depth = 0) {
  const whole = resolve(schema);
  if ("const" in whole) return whole.const;
  if (whole.examples) return whole.examples[0];
  if (whole.enum) return whole.enum[1] ?? whole.enum[0];
  if (whole.anyOf) return example(whole.anyOf[0], depth);
  if (whole.type === "array") return depth > 3 ? [] : [example(whole.items ?? {}, depth + 1)];
  if (whole.type === "object" || whole.properties) {
    if (depth > 3) return {};
    const required = whole.required ?? [];
    const excluded = new Set((whole.not?.anyOf ?? [whole.not ?? {}]).flatMap((pair) => pair.required?.slice(1) ?? []));
    const wanted = Object.entries(whole.properties ?? {}).filter(
      ([name, one]) => !one.readOnly && !excluded.has(name) && (depth === 0 || required.includes(name)),
    );
    return Object.fromEntries(wanted.map(([name, one]) => [name, example(one, depth + 1)]));
  }
  const type = [whole.type].flat()[0];
  return { string: /int64/.test(whole.format ?? "") ? "0" : "", integer: 0, number: 0, boolean: false }[type] ?? null;
}

function attempt(verb, path, operation, list) {
  const inputs = list.map((one) => {
    const id = `${operation.operationId}-${one.in}-${one.name}`;
    const input = element("input", { id, name: one.name, required: one.required, autocomplete: "off" });
    return { one, input, row: element("div", { class: "row" }, element("label", { for: id, class: "mono" }, one.name), input) };
  });
  const media = operation.requestBody && Object.keys(operation.requestBody.content).find((one) => /json/.test(one));
  const bodyId = `${operation.operationId}-body`;
  const body = media && element("textarea", { id: bodyId, spellcheck: "false" });
  if (body) body.value = JSON.stringify(example(operation.requestBody.content[media].schema), null, 2);
  const result = element("div", { class: "block", "aria-live": "polite" });
  const send = async (event) => {
    event.preventDefault();
    const request = fill(path, inputs);
    const headers = { accept: "application/json", ...request.headers };
    if (body) headers["content-type"] = media;
    if (token) headers.authorization = `Bearer ${token}`;
    const begun = performance.now();
    try {
      const answer = await fetch(request.url, { method: verb.toUpperCase(), headers, body: body?.value });
      const text = await answer.text();
      const took = Math.round(performance.now() - begun);
      result.replaceChildren(
        element("p", { class: answer.ok ? "" : "bad" }, `${answer.status} ${answer.statusText} in ${took} ms`),
        element("pre", { tabindex: "0", "aria-label": "Answer" }, pretty(text)),
      );
    } catch (failure) {
      result.replaceChildren(element("p", { class: "bad" }, `No answer: ${failure.message}`));
    }
  };
  const form = element(
    "form",
    { onsubmit: send },
    inputs.map(({ row }) => row),
    body ? element("label", { for: bodyId }, "Body") : "",
    body ?? "",
    element("div", {}, element("button", {}, `Send ${verb.toUpperCase()}`)),
  );
  return element("details", { class: "nested" }, element("summary", {}, "Try it"), element("div", { class: "block" }, form, result));
}

function fill(path, inputs) {
  const query = new URLSearchParams();
  const headers = {};
  for (const { one, input } of inputs) {
    if (input.value === "" && one.in !== "path") continue;
    if (one.in === "path") path = path.replace(`{${one.name}}`, encodeURIComponent(input.value));
    else if (one.in === "header") headers[one.name] = input.value;
    else if (resolve(one.schema).type === "array") input.value.split(",").forEach((value) => query.append(one.name, value.trim()));
    else query.append(one.name, input.value);
  }
  return { url: query.size > 0 ? `${path}?${query}` : path, headers };
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function access(operation) {
  const needs = operation.security ?? api.security ?? [];
  if (needs.length === 0) return "";
  const names = needs.map((one) => Object.keys(one).join(" and ") || "nothing");
  return element("p", { class: "kind" }, `Needs ${names.join(", or ")}.`);
}

function operationOf(verb, path, item, operation) {
  const list = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolve);
  const made = element(
    "details",
    { class: "operation", id: operation.operationId },
    element(
      "summary",
      {},
      element("span", { class: `verb ${verb}` }, verb.toUpperCase()),
      element("span", { class: operation.deprecated ? "path old" : "path" }, path),
      element("span", { class: "brief" }, operation.summary ?? ""),
    ),
  );
  made.addEventListener("toggle", () => {
    if (made.childElementCount > 1) return;
    const method = [operation["x-grpc-method"] ?? []].flat();
    const body = operation.requestBody;
    made.append(
      element(
        "div",
        { class: "inside" },
        operation.description ? words(operation.description) : "",
        method.length > 0 ? element("p", { class: "kind" }, "gRPC: ", inline(method.map((one) => `\`${one}\``).join(", "))) : "",
        access(operation),
        parameters(list),
        body
          ? element("div", { class: "block" }, element("h3", {}, "Body"), body.description ? words(body.description) : "", contents(body.content))
          : "",
        responses(operation.responses),
        attempt(verb, path, operation, list),
      ),
    );
  });
  return made;
}

function operations() {
  const all = [];
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const verb of VERBS.filter((one) => item[one])) {
      const operation = item[verb];
      const text = [verb, path, operation.operationId, operation.summary, operation.description].join(" ").toLowerCase();
      all.push({ verb, path, tag: operation.tags?.[0] ?? "", text, operation, shown: operationOf(verb, path, item, operation) });
    }
  }
  return all;
}

function show(document_) {
  api = document_;
  document.title = api.info.title;
  document.querySelector(".brand").textContent = api.info.title;
  const all = operations();
  const tags = (api.tags ?? []).map((tag) => ({ ...tag, all: all.filter((one) => one.tag === tag.name) }));
  const parts = tags.map((tag) => {
    const links = tag.all.map((one) => {
      const name = one.operation.operationId.replace(`${tag.name.replaceAll(".", "_")}_`, "");
      return element("a", { href: `#${one.operation.operationId}`, title: one.operation.summary }, name);
    });
    const group = element("div", {}, element("h2", {}, tag.name), links);
    const id = `tag-${tag.name}`;
    const section = element(
      "section",
      { "aria-labelledby": id },
      element("h2", { id }, tag.name),
      words(tag.description),
      tag.all.map((one) => one.shown),
    );
    tag.all.forEach((one, at) => (one.link = links[at]));
    return { tag, group, section };
  });
  const intro = element(
    "div",
    { class: "intro" },
    element("h1", {}, api.info.title),
    element("p", { class: "version" }, `Version ${api.info.version} · OpenAPI ${api.openapi}`),
    words(api.info.description),
  );
  index.replaceChildren(...parts.map((part) => part.group));
  main.replaceChildren(intro, ...parts.map((part) => part.section));
  document.getElementById("filter").addEventListener("input", (event) => filter(parts, event.target.value));
  addEventListener("hashchange", open);
  open();
}

function filter(parts, text) {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const { tag, group, section } of parts) {
    for (const one of tag.all) {
      const hit = wanted.every((word) => one.text.includes(word));
      one.shown.hidden = !hit;
      one.link.hidden = !hit;
    }
    const none = tag.all.every((one) => one.shown.hidden);
    group.hidden = none;
    section.hidden = none;
  }
}

function open() {
  const chosen = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!chosen?.matches(".operation")) return;
  chosen.open = true;
  chosen.scrollIntoView();
}

/** The operators' address asks for its token where one is set. */
function ask(said) {
  const input = element("input", { id: "token", type: "password", autocomplete: "current-password", required: true });
  const submit = (event) => {
    event.preventDefault();
    token = input.value;
    load();
  };
  main.replaceChildren(
    element(
      "form",
      { onsubmit: submit },
      element("h1", {}, "Token"),
      element("p", { class: said ? "bad" : "", role: "status" }, said || "This address asks for the operators' token."),
      element("label", { for: "token" }, "Operators' token"),
      input,
      element("div", {}, element("button", {}, "Show")),
    ),
  );
  input.focus();
}

async function load() {
  try {
    const answer = await fetch(address, token ? { headers: { authorization: `Bearer ${token}` } } : {});
    if (answer.status === 401) return ask(token ? "That is not the token." : "");
    if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
    show(await answer.json());
  } catch (failure) {
    state.textContent = `The document cannot be shown: ${failure.message}`;
    state.className = "bad";
    if (!state.isConnected) main.replaceChildren(state);
  }
}

load();
