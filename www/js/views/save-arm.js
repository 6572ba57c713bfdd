/** An arm's files as they come from the engine, part after part, packed as one zip. */
import { writeZip } from "../models/zip.js";
import { say } from "../ui/alerts.js";
import { download } from "../ui/dom.js";
import { bytes } from "../ui/format.js";

/** @typedef {import("../contract/types.js").Message} Message */

export class ArmFiles {
  /** @param {(arm: string) => string} nameOf the zip's name without its ending */
  constructor(nameOf) {
    this.nameOf = nameOf;
    /** Each part is a Blob, which the browser keeps where it likes. @type {Map<string, Blob[]>} */
    this.parts = new Map();
  }

  take(/** @type {Extract<Message, {type: "part"}>} */ { file, bytes: part }) {
    const parts = this.parts.get(file) ?? [];
    parts.push(new Blob([part]));
    this.parts.set(file, parts);
  }

  /** Nothing more comes. */
  async finish(/** @type {Extract<Message, {type: "saved"}>} */ { arm }) {
    const name = `${this.nameOf(arm)}.zip`;
    const files = [...this.parts].map(([file, parts]) => ({ name: file, blob: new Blob(parts) }));
    this.parts = new Map();
    const zip = await writeZip(files);
    download(name, zip, "application/zip");
    say(`${name}: ${files.map((file) => file.name).join(", ")}; ${bytes(zip.size)}.`);
  }
}
