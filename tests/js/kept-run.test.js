// What a run has come to: which states are held, and what is on disk when writing breaks off.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ArmStates, eventsUpTo } from "../../www/js/state/arm-states.js";
import { bytesOf, forget, keep, kept } from "../../www/js/state/kept-run.js";

const runOf = (...ids) => ({ settings: { arms: ids.map((id) => ({ id })) } });
const blob = (bytes) => new Blob([new Uint8Array(bytes)]);

test("a run goes on from the newest states, and leaves where every arm has one", () => {
  const states = new ArmStates();
  const [run, other] = [runOf("a", "b"), runOf("a", "b")];
  states.add(run, "a", 10, blob(4));
  assert.equal(states.newest(run), null);
  states.add(run, "b", 10, blob(4));
  states.add(run, "a", 20, blob(4));
  states.add(other, "b", 20, blob(4));
  assert.deepEqual(states.newest(run).map(({ arm, step }) => [arm, step]), [["a", 20], ["b", 10]]);
  assert.equal(states.stepUpTo(run, 25), 10);
  assert.equal(states.stepUpTo(run, 9), null);
  assert.equal(states.stepUpTo(null, 9), null);
  states.add(run, "a", 10, blob(5)); // again: the newer one counts
  assert.deepEqual(states.at(run, 10).map((state) => state.blob.size), [5, 4]);
  assert.equal(new Set(states.all.map(({ state }) => state.file)).size, states.all.length);
});

test("the oldest states go where there is no room", () => {
  const states = new ArmStates(10);
  const run = runOf("a");
  for (const step of [1, 2, 3]) states.add(run, "a", step, blob(4));
  assert.deepEqual(states.of(run).map(({ step }) => step), [2, 3]);
  states.add(run, "a", 4, blob(40)); // the newest stays whatever it weighs
  assert.deepEqual(states.of(run).map(({ step }) => step), [4]);
});

test("what was said after a state is left out, arm by arm", () => {
  const of = (arm, step) => ({ type: "step", arm, step });
  const events = [{ type: "run" }, of("base", 0), of("a", 1), of("b", 1), of("a", 2), of("b", 2), of("c", 1)];
  const cut = eventsUpTo(events, [{ arm: "a", step: 2 }, { arm: "b", step: 1 }]);
  assert.deepEqual(cut, [events[0], of("base", 0), of("a", 1), of("b", 1), of("a", 2)]);
});

/** A folder of private files whose `left` next writes work. */
class Folder {
  files = new Map();
  left = Infinity;
  /** Bytes. */
  room = Infinity;

  async *keys() {
    yield* [...this.files.keys()];
  }

  async getDirectoryHandle() {
    return this;
  }

  async removeEntry(name, { recursive } = {}) {
    if (recursive) this.files.clear();
    this.files.delete(name);
  }

  async getFileHandle(name, { create } = {}) {
    if (!this.files.has(name) && !create) throw new DOMException(name, "NotFoundError");
    if (create && !this.files.has(name)) this.files.set(name, new Blob());
    const write = async (content) => {
      if ((this.left -= 1) < 0) throw new DOMException("it broke off", "AbortError");
      this.next = new Blob([content]);
      const others = [...this.files].reduce((sum, [other, { size }]) => sum + (other === name ? 0 : size), 0);
      if (others + this.next.size > this.room) throw new DOMException("full", "QuotaExceededError");
    };
    const close = async () => void this.files.set(name, this.next);
    return { getFile: async () => this.files.get(name), createWritable: async () => ({ write, close, abort: async () => {} }) };
  }
}

globalThis.FileSystemFileHandle = class {
  createWritable() {}
};
let folder = new Folder();
beforeEach(() => {
  folder = new Folder();
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { storage: { getDirectory: async () => folder } } });
});

const note = (numbers) => ({ plan: { settings: { arms: [{ id: "a" }] } }, events: numbers.map((n) => ({ n })), model: "Atlas" });
const numbersOf = (run) => run.events.map(({ n }) => n);
const state = (step, bytes = 4) => ({ arm: "a", step, blob: blob(bytes), file: `${step}.safetensors` });

test("a run is kept, and replaced by the next", async () => {
  assert.equal(await keep(note([1]), [state(10), state(20)]), 8);
  assert.deepEqual((await kept()).states.map(({ step }) => step), [10, 20]);
  assert.equal(bytesOf(await kept()), 8);
  await keep(note([1, 2]), [state(20), state(30)]);
  const run = await kept();
  assert.deepEqual([run.states.map(({ step }) => step), numbersOf(run), run.model], [[20, 30], [1, 2], "Atlas"]);
  assert.deepEqual([...folder.files.keys()].toSorted(), ["20.safetensors", "30.safetensors", "note.json"]);
  await forget();
  assert.equal(await kept(), null);
});

test("whenever writing breaks off, the previous run is still there, and the next one can be kept", async () => {
  await keep(note([1]), [state(10)]);
  for (const left of [0, 1, 2]) {
    folder.left = left;
    await assert.rejects(keep(note([1, 2]), [state(10), state(20), state(30)]), /broke off/);
    assert.deepEqual([numbersOf(await kept()), (await kept()).states.map(({ step }) => step)], [[1], [10]]);
  }
  folder.left = Infinity;
  await keep(note([1, 2]), [state(10), state(20), state(30)]);
  assert.equal((await kept()).states.length, 3);
});

test("a page that is closed while a state is written leaves the run of before", async () => {
  await keep(note([1]), [state(10)]);
  folder.files.set("20.safetensors", blob(1)); // begun, never closed, and named by no note
  assert.equal((await kept()).states.length, 1);
  folder.files.set("10.safetensors", blob(1));
  assert.equal(await kept(), null); // a state that is not whole is none
});

test("where there is no room for all, the newest states are kept, and the run of before goes last", async () => {
  await keep(note([1]), [state(10, 1000)]);
  folder.room = 3500;
  const all = [20, 30, 40, 50].map((step) => state(step, 1000));
  await keep(note([1, 2]), all);
  assert.deepEqual((await kept()).states.map(({ step }) => step), [40, 50]);
  folder.room = 2700; // with the two that are there a third has no room
  await keep(note([1, 2, 3]), [state(60, 2000)]);
  assert.deepEqual((await kept()).states.map(({ step }) => step), [60]);
  await assert.rejects(keep(note([4]), [state(70, 5000)]), { name: "QuotaExceededError" });
});

test("what is damaged is no run", async () => {
  for (const text of ["", "{", '{"version":1}', '{"version":2,"events":3}', '{"version":2,"events":[],"states":[{"file":"x"}]}']) {
    folder.files.set("note.json", new Blob([text]));
    assert.equal(await kept(), null, text);
  }
});
