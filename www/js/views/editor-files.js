/** The ways in which rows come to the page: opened, dropped, pasted. */
import { find } from "../ui/dom.js";
import { t } from "../ui/text.js";

const LARGEST_BYTES = 50e6;
const TYPING = "input, textarea, select";

/** Files that hold tables or text, but not as text, by their first bytes: the text that says so. @type {[number[], string][]} */
const SIGNATURES = [
  [[0x50, 0x41, 0x52, 0x31], "editor-files.parquet"],
  [[0x50, 0x4b, 0x03, 0x04], "editor-files.zip"],
  [[0x1f, 0x8b], "editor-files.compressed"],
];

/** A file that can't be read as text. */
export class FileError extends Error {}

/** A file's text, in the encodings that spreadsheets write. @throws {FileError} */
export async function textOf(/** @type {File} */ file) {
  if (file.size > LARGEST_BYTES) throw new FileError(t("editor-files.too-large", { file: file.name }));
  const content = new Uint8Array(await file.arrayBuffer());
  for (const [signature, what] of SIGNATURES) {
    if (signature.every((byte, i) => content[i] === byte)) throw new FileError(t(what, { file: file.name }));
  }
  const [first, second] = content;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(content);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(content);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    return new TextDecoder("windows-1252").decode(content);
  }
}

/**
 * @param {string} prefix of the editor's elements, "#instructions"
 * @param {{open: (file: File) => void, paste: (text: string) => void, askForText: () => void}} actions
 *   `askForText`: the browser does not let the page read the clipboard
 */
export function listenForRows(prefix, { open, paste, askForText }) {
  const zone = find(prefix);
  find(`${prefix}-file`).addEventListener(
    "change",
    (/** @type {Event & {target: HTMLInputElement}} */ { target }) => {
      if (target.files?.[0]) open(target.files[0]);
      target.value = ""; // the same file again is a change too
    },
  );
  find(`${prefix}-paste`).addEventListener("click", async () => {
    try {
      paste(await navigator.clipboard.readText());
    } catch {
      askForText();
    }
  });
  zone.addEventListener("paste", (/** @type {ClipboardEvent} */ event) => {
    if (event.target instanceof Element && event.target.closest(TYPING)) return;
    const file = event.clipboardData?.files[0];
    if (file) open(file);
    else paste(event.clipboardData?.getData("text/plain") ?? "");
    event.preventDefault();
  });
  zone.addEventListener("dragover", (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    zone.classList.add("dropping");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("dropping"));
  zone.addEventListener("drop", (/** @type {DragEvent} */ event) => {
    zone.classList.remove("dropping");
    const file = event.dataTransfer?.files[0];
    if (!file && event.target instanceof Element && event.target.closest(TYPING)) return; // words moved within a text
    event.preventDefault();
    const text = event.dataTransfer?.getData("text/plain") ?? "";
    if (file) open(file);
    else if (text !== "") paste(text);
  });
}
