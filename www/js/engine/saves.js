/**
 * The files of arms that train in different workers, passed on one arm after the other, as from one worker. A worker that has sent
 * its files waits for the others that were asked with it, so that a run is saved as it was when saving began.
 *
 * @typedef {import("../contract/types.js").Command} Command
 * @typedef {import("../contract/types.js").Message} Message
 * @typedef {{post: (command: Command) => void}} Member
 */
export class Saves {
  /**
   * @param {{take: (from: Member, message: Message) => void, say: (message: Message) => void,
   *   keep: (name: string, files: string[], blobs: Blob[]) => void}} hooks
   *   `take`: a message that had to wait; `keep`: an adapter that all workers are to hold
   */
  constructor(hooks) {
    this.hooks = hooks;
    /** What was asked for, in order; with a name where it becomes an adapter. @type {{member: Member, name: string | null}[]} */
    this.asked = [];
    /** What members say that have to wait. @type {Map<Member, Message[]>} */
    this.held = new Map();
    /** Files of the adapter that comes. @type {Map<string, BlobPart[]>} */
    this.files = new Map();
  }

  /** Nothing more comes. */
  clear() {
    [this.asked, this.held, this.files] = [[], new Map(), new Map()];
  }

  ask(/** @type {Member} */ member, /** @type {string} */ arm, /** @type {string | null} */ name) {
    this.asked.push({ member, name });
    member.post({ type: "save", arm });
  }

  /** Whether it takes a message, for now or for good. */
  takes(/** @type {Member} */ from, /** @type {Message} */ message) {
    const isFile = message.type === "part" || message.type === "saved";
    const [first] = this.asked;
    if (isFile && first?.member !== from && !this.held.has(from)) this.held.set(from, []);
    const held = this.held.get(from);
    held?.push(message);
    if (held || !isFile) return held !== undefined;
    if (message.type === "part") this.takePart(message, first.name);
    else this.finish(message, first.name);
    return true;
  }

  /** @private */
  takePart(/** @type {Extract<Message, {type: "part"}>} */ part, /** @type {string | null} */ name) {
    if (name === null) this.hooks.say(part);
    else this.files.set(part.file, [...(this.files.get(part.file) ?? []), part.bytes]);
  }

  /** @private */
  finish(/** @type {Extract<Message, {type: "saved"}>} */ saved, /** @type {string | null} */ name) {
    const { files } = this;
    const { member } = /** @type {{member: Member}} */ (this.asked.shift());
    this.files = new Map();
    if (name === null) this.hooks.say(saved);
    else this.hooks.keep(name, [...files.keys()], [...files.values()].map((parts) => new Blob(parts)));
    this.held.set(member, []);
    this.goOn();
  }

  /** A member's files do not come. */
  drop(/** @type {Member} */ member) {
    if (!this.asked.some((one) => one.member === member)) return;
    if (this.asked[0].member === member) this.files = new Map();
    this.asked = this.asked.filter((one) => one.member !== member);
    this.goOn();
  }

  /** Lets the next one go on, or all where nobody saves any more. @private */
  goOn() {
    const [next] = this.asked;
    for (const member of next ? [next.member] : [...this.held.keys()]) {
      const messages = this.held.get(member) ?? [];
      this.held.delete(member);
      while (messages.length > 0 && !this.held.has(member)) this.hooks.take(member, /** @type {Message} */ (messages.shift()));
      this.held.get(member)?.push(...messages);
    }
  }
}
