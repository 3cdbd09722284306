// The only place where elements are made. Text from data becomes text nodes, so a region called
// "<img onerror=...>" is shown, never run.

/** @import { Attributes, Child } from './types.d.ts' */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  dress(made, attributes);
  fill(made, ...children);
  return made;
}

/** A paragraph that says the lesser things. @param {...Child} children */
export function faint(...children) {
  return element('p', { class: 'faint' }, ...children);
}

/** A button that looks like a link. @param {string} text @param {() => void} onclick @param {string} [size] */
export function linkButton(text, onclick, size = '') {
  return element('button', { type: 'button', class: `link ${size}`, onclick }, text);
}

/**
 * Replaces what an element contains.
 * @param {Element} parent
 * @param {...Child} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== null && child !== undefined).map(asNode));
}

/** An element of index.html. @param {string} id */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no element with the id ${id}`);
  return found;
}

/**
 * One of index.html that has more to it than any element.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byIdAs(id, kind) {
  const found = byId(id);
  if (!(found instanceof kind)) throw new Error(`${id} of index.html is no ${kind.name}`);
  return found;
}

/**
 * The rows of a table; the first cell of each names it.
 * @param {HTMLTableElement} table
 * @param {readonly string[]} head
 * @param {readonly (readonly (string | number)[])[]} rows
 */
export function fillTable(table, head, rows) {
  const line = (/** @type {readonly (string | number)[]} */ cells, /** @type {boolean} */ isHead) =>
    element(
      'tr',
      {},
      ...cells.map((cell, i) =>
        isHead || i === 0 ? element('th', { scope: isHead ? 'col' : 'row' }, cell) : element('td', {}, cell),
      ),
    );
  const body = rows.map((row) => line(row, false));
  table.append(element('thead', {}, line(head, true)), element('tbody', {}, ...body));
}

/** @param {Node | string | number} child */
function asNode(child) {
  return typeof child === 'object' ? child : document.createTextNode(String(child));
}

/**
 * @param {Element} made
 * @param {Attributes} attributes
 */
function dress(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function')
      made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (value === true) made.setAttribute(name, '');
    else if (value !== undefined && value !== false) made.setAttribute(name, String(value));
  }
}
