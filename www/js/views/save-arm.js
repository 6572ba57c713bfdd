/** Arms' files as they come from the engine, part after part, packed as zips: an arm's own, or a run with its adapters. */
import { writeZip } from "../models/zip.js";
import { say } from "../ui/alerts.js";
import { download } from "../ui/dom.js";
import { bytes } from "../ui/format.js";

/** @typedef {import("../contract/types.js").Message} Message */

/** The run's record in a zip with its adapters. */
export const RUN_FILE = "run.json";

export class ArmFiles {
  /**
   * @param {(arm: string) => string} nameOf the zip's name without its ending
   * @param {(command: import("../contract/types.js").Command) => void} post
   */
  constructor(nameOf, post) {
    this.nameOf = nameOf;
    this.post = post;
    /** Each part is a Blob, which the browser keeps where it likes. @type {Map<string, Blob[]>} */
    this.parts = new Map();
    /** The run that is being saved, and the arms that are still to come. @type {{name: string, record: () => string, arms: string[], files: {name: string, blob: Blob}[]} | null} */
    this.run = null;
  }

  /** Saves a run and what these arms have come to. `record` gives the run's file. */
  saveRun(/** @type {string} */ name, /** @type {string[]} */ arms, /** @type {() => string} */ record) {
    this.run = { name, record, arms, files: [] };
    for (const arm of arms) this.post({ type: "save", arm }); // in a row, so that no step is taken in between
  }

  take(/** @type {Extract<Message, {type: "part"}>} */ { file, bytes: part }) {
    const parts = this.parts.get(file) ?? [];
    parts.push(new Blob([part]));
    this.parts.set(file, parts);
  }

  /** Nothing more comes of this arm. */
  async finish(/** @type {Extract<Message, {type: "saved"}>} */ { arm }) {
    const files = [...this.parts].map(([name, parts]) => ({ name, blob: new Blob(parts) }));
    this.parts = new Map();
    const { run } = this;
    if (!run?.arms.includes(arm)) return this.pack(this.nameOf(arm), files);
    run.arms = run.arms.filter((other) => other !== arm);
    run.files.push(...files.map(({ name, blob }) => ({ name: `${arm}/${name}`, blob })));
    if (run.arms.length > 0) return;
    this.run = null;
    await this.pack(run.name, [{ name: RUN_FILE, blob: new Blob([run.record()]) }, ...run.files]);
  }

  /** The engine has failed: what was asked for does not come. */
  stop() {
    this.run = null;
    this.parts = new Map();
  }

  /** @private */
  async pack(/** @type {string} */ name, /** @type {{name: string, blob: Blob}[]} */ files) {
    const zip = await writeZip(files);
    download(`${name}.zip`, zip, "application/zip");
    say(`${name}.zip: ${files.map((file) => file.name).join(", ")}; ${bytes(zip.size)}.`);
  }
}
