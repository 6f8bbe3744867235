// The interface of the server, as /openapi.json describes it.

import { byId, element, say, show } from "./elements.js";

/** Fields within fields are shown so deep. */
const DEEPEST = 4;

let described;

const resolve = (schema) =>
  schema?.$ref
    ? schema.$ref.slice(2).split("/").reduce((found, name) => found?.[name], described)
    : schema;

/** A text with what is between backticks as code. */
const worded = (text) =>
  text.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));

/** What a schema without its fields is, in a word or two. */
function typeOf(schema) {
  const found = resolve(schema);
  if (!found || found === true) return "anything";
  const options = found.anyOf ?? found.oneOf;
  if (options) {
    const constants = options.map((option) => option.const);
    if (constants.every((constant) => constant !== undefined)) return constants.join(" | ");
    return options.map(typeOf).join(" or ");
  }
  if (found.enum) return found.enum.map((value) => (value === "" ? '""' : value)).join(" | ");
  if (found.const !== undefined) return String(found.const);
  const types = [found.type ?? "anything"].flat().map((type) =>
    type === "array" ? `list of ${typeOf(found.items)}` : type,
  );
  return types.join(" or ");
}

/** The schema whose fields are worth showing: of an object, of a list's items, of what may be null. */
function fieldsOf(schema) {
  const found = resolve(schema);
  if (found?.properties) return found;
  if (found?.items) return fieldsOf(found.items);
  for (const option of found?.anyOf ?? found?.oneOf ?? []) {
    const fields = fieldsOf(option);
    if (fields) return fields;
  }
  return undefined;
}

function fields(schema, depth = 0) {
  const found = fieldsOf(schema);
  if (!found || depth >= DEEPEST) return null;
  const required = new Set(found.required ?? []);
  const list = element("dl");
  for (const [name, field] of Object.entries(found.properties)) {
    const type = required.has(name) ? typeOf(field) : `${typeOf(field)}, may be missing`;
    const text = field.description ?? resolve(field)?.description ?? "";
    list.append(
      element("dt", {}, element("code", {}, name)),
      element(
        "dd",
        {},
        element("span", { className: "type" }, type),
        ...(text ? worded(` · ${text}`) : []),
        fields(field, depth + 1),
      ),
    );
  }
  return list;
}

function parameters(operation) {
  if (!operation.parameters?.length) return null;
  const list = element("dl");
  for (const parameter of operation.parameters) {
    const { name, in: place, description, schema } = parameter;
    list.append(
      element("dt", {}, element("code", {}, name)),
      element("dd", {}, element("span", { className: "type" }, `${place}, ${typeOf(schema)}`), ...worded(` · ${description}`)),
    );
  }
  return element("div", {}, element("h4", {}, "Parameters"), list);
}

function body(operation) {
  const content = Object.entries(operation.requestBody?.content ?? {});
  const parts = content.map(([mediaType, { schema, example }]) =>
    element(
      "div",
      {},
      element("h4", {}, `Body, ${mediaType}`),
      fields(schema),
      example ? element("pre", {}, JSON.stringify(example, null, 2)) : null,
    ),
  );
  return parts.length ? element("div", {}, ...parts) : null;
}

function answers(operation) {
  const list = element("dl");
  for (const [status, answer] of Object.entries(operation.responses)) {
    const [mediaType, { schema } = {}] = Object.entries(answer.content ?? {})[0] ?? [];
    // What a refusal looks like is told once, at the top.
    const told = Number(status) < 400 ? fields(schema) : null;
    list.append(
      element("dt", {}, element("code", {}, status)),
      element(
        "dd",
        {},
        ...worded(answer.description),
        mediaType && Number(status) < 400 ? element("span", { className: "type" }, ` · ${mediaType}`) : null,
        told,
      ),
    );
  }
  return element("div", {}, element("h4", {}, "Answers"), list);
}

function callers(operation) {
  const names = (operation.security ?? []).map((scheme) => Object.keys(scheme)[0] ?? "nothing, if it is configured so");
  const text = names.length ? `Opened by ${names.join(", or ")}.` : "Open to everybody.";
  return element("p", { className: "quiet" }, text);
}

function shown(path, method, operation) {
  const details = element(
    "details",
    { id: operation.operationId },
    element(
      "summary",
      {},
      element("span", { className: "method" }, method.toUpperCase()),
      element("code", {}, path),
      element("span", {}, operation.summary),
    ),
  );
  // Drawn when it is opened: there are many fields.
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    const parts = [
      operation.description ? element("p", {}, ...worded(operation.description)) : null,
      callers(operation),
      parameters(operation),
      body(operation),
      answers(operation),
    ];
    details.append(element("div", { className: "detail" }, ...parts.filter(Boolean)));
  });
  details.dataset.words = `${method} ${path} ${operation.summary} ${operation.description ?? ""}`.toLowerCase();
  return details;
}

function draw() {
  const sections = new Map(
    described.tags.map(({ name, description }) => [
      name,
      element("section", { id: name }, element("h2", {}, name), element("p", { className: "quiet" }, description)),
    ]),
  );
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      // As GET, but for the body.
      if (method !== "head") sections.get(operation.tags[0]).append(shown(path, method, operation));
    }
  }
  byId("operations").append(...sections.values());
  byId("about").replaceChildren(...worded(`${described.info.description} Version ${described.info.version}.`));
}

function find() {
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of byId("operations").children) {
    const operations = [...section.querySelectorAll("details")];
    for (const details of operations) {
      show(details, words.every((word) => details.dataset.words.includes(word)));
    }
    show(section, operations.some((details) => !details.hidden));
  }
}

try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  described = await answer.json();
  draw();
  byId("find").addEventListener("input", find);
  const wanted = location.hash && byId(location.hash.slice(1));
  if (wanted) {
    wanted.open = true;
    wanted.scrollIntoView();
  }
} catch (error) {
  const trouble = byId("trouble");
  say(trouble, `The description cannot be read: ${error.message}`);
  show(trouble, true);
}
