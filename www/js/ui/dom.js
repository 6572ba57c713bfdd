/** Small functions for elements. Text always goes in as text, never as HTML. */

/** @typedef {Node | string | null | undefined} Child  null and undefined are left out */

/**
 * Makes an element: `el("td", { class: "number", onclick: f, "aria-label": "x" }, "text", child)`.
 * Properties that are null or false are left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [properties] attributes, and listeners where a name begins with "on"
 * @param {(Child | Child[])[]} children
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * An SVG element with these attributes.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | undefined>} [attributes]
 * @param {(Node | string)[]} children
 */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/** The element that `selector` names; the page's own markup always has it. */
export function find(/** @type {string} */ selector, /** @type {ParentNode} */ root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`the page lacks ${selector}`);
  return /** @type {any} */ (element);
}

/** All elements that `selector` names. */
export function findAll(/** @type {string} */ selector, /** @type {ParentNode} */ root = document) {
  return /** @type {any[]} */ ([...root.querySelectorAll(selector)]);
}

/**
 * Sets the text only where it differs, so that live regions stay silent. Reuses the text node only if
 * the length stays the same: a right-aligned or centred one that grows would count as a layout shift.
 */
export function setText(/** @type {Node} */ element, /** @type {string} */ text) {
  if (element.textContent === text) return;
  const { firstChild } = element;
  if (firstChild instanceof Text && !firstChild.nextSibling && firstChild.length === text.length) firstChild.data = text;
  else element.textContent = text;
}

/** Sets only the properties that differ: assigning an unchanged value would still restyle the element. */
export function update(/** @type {any} */ element, /** @type {Record<string, unknown>} */ properties) {
  for (const name in properties) if (element[name] !== properties[name]) element[name] = properties[name];
}

/** Sets those of the attributes that differ. */
export function setAttributes(/** @type {Element} */ element, /** @type {Record<string, string | number>} */ attributes) {
  for (const name in attributes) {
    const value = String(attributes[name]);
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
}

/** Gives `host` exactly `wanted` children: removes surplus ones, or appends new ones from `make`. */
export function fit(/** @type {Element} */ host, /** @type {number} */ wanted, /** @type {() => Element} */ make) {
  while (host.children.length > wanted) host.lastElementChild?.remove();
  while (host.children.length < wanted) host.append(make());
  return /** @type {any[]} */ ([...host.children]);
}

/** A table with a caption, a head row and rows of cells; numbers are strings already. */
export function table(/** @type {Child} */ caption, /** @type {Child[]} */ head, /** @type {Child[][]} */ rows) {
  return el(
    "table",
    {},
    el("caption", {}, caption),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        head.map((name) => el("th", { scope: "col" }, name)),
      ),
    ),
    el(
      "tbody",
      {},
      rows.map((row) =>
        el(
          "tr",
          {},
          row.map((cell, i) => (i === 0 ? el("th", { scope: "row" }, cell) : el("td", {}, cell))),
        ),
      ),
    ),
  );
}

/** Offers `content` as a file. */
export function download(/** @type {string} */ file, /** @type {BlobPart} */ content, /** @type {string} */ type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  el("a", { href: url, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
