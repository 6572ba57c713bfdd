/**
 * What may become a script or markup by a text, where the browser asks (Trusted Types): the page's own workers, and the empty
 * frame in which modern-screenshot looks up the browser's own styles. Imported before anything else.
 */

const EMPTY = '<!DOCTYPE html><meta charset="UTF-8"><title></title><body>';

const refuse = (/** @type {string} */ text) => {
  throw new TypeError(`the page does not allow ${text.slice(0, 80)}`);
};

/** @type {any} */ (globalThis).trustedTypes?.createPolicy("default", {
  createHTML: (/** @type {string} */ text) => (text === EMPTY ? text : refuse(text)),
  createScriptURL: (/** @type {string} */ url) => (new URL(url, document.baseURI).origin === location.origin ? url : refuse(url)),
  createScript: refuse,
});
