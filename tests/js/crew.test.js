// Several workers that train one run look to the page as one: fake workers answer as the real one does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Crew } from "../../www/js/engine/crew.js";

const arm = (id, kind = "lora") => ({ id, method: { kind }, regularisers: { kl_to_base: 0 } });
const SETTINGS = { arms: [arm("lora"), arm("full", "full")], measure_every: 10, steps: 20 };
const LOAD = { type: "load", backend: "auto", model: { name: "Atlas", files: [] }, blobs: [], facts: "" };
const START = { type: "start", settings: SETTINGS, instructions: "i", heldout: "h", probes: "" };

/** A crew of fake workers: `workers[i]` has what was posted to it, and says what a test has it say. */
function crew({ workers: wanted = 2, engine = "cpu", memory = 12e6, starts = () => true } = {}) {
  const workers = [];
  const said = [];
  const silences = [];
  const make = (take, silence) => {
    const worker = { posted: [], isStopped: false, say: take, silence, step: (arm, step, run = 1) => take({ type: "event", event: { type: "step", run, arm, step } }) };
    workers.push(worker);
    worker.start = () => (starts(workers.indexOf(worker)) ? Promise.resolve() : Promise.reject(new Error("no")));
    worker.stop = () => (worker.isStopped = true);
    worker.post = (command) => worker.posted.push(command);
    worker.state = (state) => take({ type: "state", state });
    return worker;
  };
  const it = new Crew((message) => said.push(message), (isSilent) => silences.push(isSilent), { workers: wanted, machine: { hardwareConcurrency: 8 }, make });
  it.post(LOAD);
  workers[0].say({ type: "ready", engine, memory });
  said.length = 0;
  return { it, workers, said, silences, types: () => said.splice(0).map(({ type, event, state }) => event?.type ?? state ?? type) };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));
const posted = (worker) => worker.posted.splice(0).map(({ type }) => type);
const begins = (worker, arms, run = 1) => worker.say({ type: "event", event: { type: "run", run, settings: SETTINGS, arms: arms.map((id) => ({ arm: id })) } });

/** A run of two workers that has begun and is paused. */
async function paused(options) {
  const all = crew(options);
  const { it, workers } = all;
  it.post({ type: "warm_up", settings: SETTINGS });
  await settled();
  workers[1].say({ type: "ready", engine: "cpu", memory: 12e6 });
  it.post(START);
  begins(workers[0], ["lora"]);
  begins(workers[1], ["full"]);
  for (const worker of workers) {
    worker.state("paused");
    worker.posted.length = 0;
  }
  all.said.length = 0;
  return all;
}

test("a run waits for its workers, and what is posted meanwhile waits, too", async () => {
  const { it, workers, types } = crew();
  it.post(START);
  it.post({ type: "play" });
  assert.deepEqual(posted(workers[0]), ["load"]);
  await settled();
  assert.deepEqual(workers[1].posted, [{ ...LOAD, backend: "cpu" }]);
  workers[1].say({ type: "ready", engine: "cpu", memory: 12e6 });
  await settled();
  const [start, play] = workers[0].posted;
  assert.deepEqual(start, { ...START, share: { run: 1, models: ["base", "lora"] } });
  assert.deepEqual(play, { type: "play", until: 10 });
  assert.deepEqual(workers[1].posted[1].share, { run: 1, models: ["full"] });
  begins(workers[1], ["full"]);
  workers[1].step("full", 1);
  assert.deepEqual(types(), [], "nothing of a run is said before all have begun");
  begins(workers[0], ["lora"]);
  assert.deepEqual(types(), ["run", "step"]);
  assert.equal(it.size, 2);
});

test("the run says of its arms what all workers know", async () => {
  const { said, workers, it } = await paused();
  it.post(START);
  begins(workers[1], ["full"], 2);
  begins(workers[0], ["lora"], 2);
  assert.deepEqual(said[0].event.arms, [{ arm: "lora" }, { arm: "full" }]);
});

test("arms go on from a measured step when all have been measured there", async () => {
  const { it, workers, types } = await paused();
  const [one, other] = workers;
  it.post({ type: "play" });
  assert.deepEqual([one.posted.splice(0), other.posted.splice(0)], [[{ type: "play", until: 10 }], [{ type: "play", until: 10 }]]);
  workers.forEach((worker) => worker.state("running"));
  one.say({ type: "waiting", step: 10 });
  assert.deepEqual(posted(one), []);
  other.say({ type: "waiting", step: 10 });
  assert.deepEqual([one.posted.splice(0), other.posted.splice(0)], [[{ type: "play", until: 20 }], [{ type: "play", until: 20 }]]);
  workers.forEach((worker) => worker.state("running"));
  assert.deepEqual(types(), ["running"]);
  // Paused while one waits: nobody goes on, whatever is on its way.
  one.say({ type: "waiting", step: 20 });
  it.post({ type: "pause" });
  other.say({ type: "waiting", step: 20 });
  workers.forEach((worker) => worker.state("paused"));
  assert.deepEqual([posted(one), posted(other), types()], [["pause"], ["pause"], ["paused"]]);
});

test("a run goes on from where it was resumed", async () => {
  const { it, workers } = await paused();
  it.post({ type: "play" });
  workers.forEach((worker) => worker.posted.splice(0) && worker.say({ type: "waiting", step: 134 }));
  assert.deepEqual(workers[0].posted, [{ type: "play", until: 140 }]);
});

test("a step is over when every arm has taken it", async () => {
  const { it, workers, types } = await paused();
  it.post({ type: "step", count: 1, arm: null });
  workers[0].state("running");
  workers[0].state("paused");
  workers[1].state("paused"); // of before
  assert.deepEqual(types(), ["running"]);
  workers[1].state("running");
  workers[1].state("paused");
  assert.deepEqual(types(), ["paused"]);
  workers.forEach((worker) => (worker.posted.length = 0));
  it.post({ type: "step", count: 1, arm: "full" });
  assert.deepEqual(workers.map(posted), [[], ["step"]]);
});

test("a run is done when all arms are, once, and took as long as the longest", async () => {
  const { it, workers, said } = await paused();
  it.post({ type: "play" });
  for (const [i, worker] of [...workers].reverse().entries()) {
    worker.state("running");
    worker.say({ type: "event", event: { type: "done", run: 1, seconds: 7 - i } });
    worker.state("done");
  }
  assert.deepEqual(said.map(({ event, state }) => event ?? state), ["running", { type: "done", run: 1, seconds: 7 }, "done"]);
});

test("one that is done does not hold up the others", async () => {
  const { it, workers } = await paused();
  it.post({ type: "play" });
  workers[0].say({ type: "event", event: { type: "done", run: 1, seconds: 1 } });
  workers.forEach((worker) => (worker.posted.length = 0));
  workers[1].say({ type: "waiting", step: 10 });
  assert.deepEqual(workers.map(posted), [[], ["play"]]);
  const other = await paused();
  other.it.post({ type: "play" });
  other.workers.forEach((worker) => (worker.posted.length = 0));
  other.workers[1].say({ type: "waiting", step: 10 });
  other.workers[0].say({ type: "event", event: { type: "done", run: 1, seconds: 1 } });
  assert.deepEqual(other.workers.map(posted), [[], ["play"]]);
});

test("what concerns an arm goes to its worker, what does not to the leading one", async () => {
  const { it, workers, said } = await paused();
  it.post({ type: "strength", arm: "full", strength: 0.5, intruders: 1 });
  it.post({ type: "look", arm: "full" });
  it.post({ type: "look", arm: null });
  it.post({ type: "save", arm: "full" });
  it.post({ type: "probe", id: 1, probes: "" });
  it.post({ type: "count_tokens", id: 1, rows: "" });
  assert.deepEqual(workers.map(posted), [["look", "probe", "count_tokens"], ["strength", "look", "look", "save"]]);
  workers[1].say({ type: "part", arm: "full", file: "a", bytes: new Uint8Array(1) });
  workers[1].say({ type: "saved", arm: "full" });
  workers[1].say({ type: "progress", stage: "base", done: 0, total: 1 });
  workers[1].say({ type: "progress", stage: "weights", done: 0, total: 1 });
  assert.deepEqual(said.map(({ type }) => type), ["part", "saved", "progress"]);
});

test("a question is answered when all have answered", async () => {
  const { it, workers, types } = await paused();
  it.post({ type: "ask", id: 3, question: "Who?", max_tokens: 1, sampling: {} });
  assert.deepEqual(workers.map(posted), [["ask"], ["ask"]]);
  workers[1].say({ type: "answer", id: 3, arm: "full", tokens: [] });
  workers[1].say({ type: "asked", id: 3 });
  workers[0].say({ type: "answer", id: 3, arm: "base", tokens: [] });
  assert.deepEqual(types(), ["answer", "answer"]);
  it.post({ type: "ask", id: 3, question: "", max_tokens: 1, sampling: {} });
  workers[0].say({ type: "asked", id: 3 });
  assert.deepEqual(types(), ["asked"]);
});

test("a state passes with what was said before it, a worker's own", async () => {
  const { it, workers, types } = await paused();
  it.post({ type: "snapshot" });
  assert.deepEqual(workers.map(posted), [["snapshot"], ["snapshot"]]);
  workers[1].step("full", 1);
  workers[1].say({ type: "snapshot", run: 1, arm: "full", step: 1, blobs: [] });
  workers[0].step("lora", 2);
  assert.deepEqual(types(), ["step", "snapshot", "step"]);
  it.post({ type: "resume", ...START, blobs: ["a", "b"], fork: { step: 2 } });
  assert.deepEqual(workers.map(({ posted: [{ blobs, fork, share }] }) => [blobs, fork, share.models]), [
    [["a", "b"], { step: 2 }, ["base", "lora"]],
    [["a", "b"], { step: 2 }, ["full"]],
  ]);
});

test("a run that is refused is refused once, and the run before stays", async () => {
  const { it, workers, types, said } = await paused();
  it.post({ ...START, settings: { ...SETTINGS, arms: [arm("lora")] } });
  assert.deepEqual(workers.map(posted), [["start"], ["pause"]]);
  workers[0].say({ type: "error", name: "setting", message: "no" });
  workers[0].state("paused");
  assert.deepEqual(types(), ["error", "paused"]);
  it.post({ type: "play" });
  workers.forEach((worker) => worker.state("running"));
  assert.deepEqual(types(), ["running"]);
  it.post(START);
  workers.forEach((worker) => worker.state("paused"));
  workers[1].say({ type: "error", name: "setting", message: "no" });
  workers[1].state("paused");
  assert.deepEqual(types(), []);
  workers[0].say({ type: "error", name: "setting", message: "no" });
  workers[0].state("paused");
  assert.deepEqual(types(), ["error", "paused"]);
  workers.forEach((worker) => (worker.posted.length = 0));
  it.post({ type: "play" });
  workers[1].step("full", 1);
  assert.deepEqual([workers.map(posted), said.at(-1).event.arm], [[["play"], ["play"]], "full"]);
});

test("a run that only some have begun is the engine's failure", async () => {
  const { it, workers, said } = await paused();
  it.post(START);
  begins(workers[0], ["lora"], 2);
  workers[1].say({ type: "error", name: "out-of-memory", message: "no room" });
  assert.deepEqual(said, [{ type: "error", name: "worker", message: "no room" }]);
});

test("a silent worker is reported while it is at work, and dismissed otherwise", async () => {
  const { it, workers, silences } = await paused();
  workers[1].silence(true);
  workers[0].silence(true);
  workers[1].silence(false);
  workers[0].silence(false);
  assert.deepEqual(silences, [true, true, true, false]);
  it.post({ ...START, settings: { ...SETTINGS, arms: [arm("lora")] } });
  workers[1].silence(true);
  assert.ok(workers[1].isStopped);
  assert.equal(silences.length, 4);
});

test("the files of arms come one arm after the other, and the run stands where they were saved", async () => {
  const { it, workers, said } = await paused();
  for (const name of ["lora", "full"]) it.post({ type: "save", arm: name });
  const save = (i, name) => {
    workers[i].say({ type: "part", arm: name, file: "a", bytes: new Uint8Array() });
    workers[i].say({ type: "saved", arm: name });
    workers[i].step(name, 3);
  };
  workers[0].step("lora", 2);
  workers[1].say({ type: "part", arm: "full", file: "a", bytes: new Uint8Array() });
  save(0, "lora");
  assert.deepEqual(said.map(({ type, arm: of, event }) => `${type} ${of ?? event.arm}`), ["event lora", "part lora", "saved lora", "part full"]);
  save(1, "full");
  assert.deepEqual(said.slice(4).map(({ type, arm: of, event }) => `${type} ${of ?? event.arm}`), ["part full", "saved full", "event lora", "event full"]);
  // One that fails holds nobody up.
  for (const name of ["lora", "full"]) it.post({ type: "save", arm: name });
  said.length = 0;
  save(1, "full");
  assert.deepEqual(said, []);
  workers[0].say({ type: "error", name: "setting", message: "no" });
  assert.deepEqual(said.map(({ type }) => type), ["part", "saved", "event", "error"]);
});

test("an error in one worker stops all, and one that all have is reported once", async () => {
  const { it, workers, types } = await paused();
  it.post({ type: "play" });
  workers.forEach((worker) => worker.posted.splice(0) && worker.state("running"));
  workers[1].say({ type: "error", name: "worker", message: "gone" });
  assert.deepEqual(workers.map(posted), [["pause"], []]);
  workers[0].say({ type: "error", name: "worker", message: "gone" });
  assert.deepEqual(types(), ["running", "error"]);
});

test("a worker that does not come makes the crew smaller, without a word", async () => {
  for (const how of ["start", "load", "later"]) {
    const { it, workers, said } = crew({ workers: 3, starts: (i) => how !== "start" || i !== 1 });
    const three = { ...SETTINGS, arms: [arm("a"), arm("b"), arm("c")] };
    it.post({ type: "warm_up", settings: three });
    await settled();
    if (how === "load") workers[1].say({ type: "error", name: "memory", message: "no room" });
    workers.slice(how === "later" ? 1 : 2).forEach((worker) => worker.say({ type: "ready", engine: "cpu", memory: 1 }));
    if (how === "later") workers[1].say({ type: "error", name: "worker", message: "gone" });
    assert.ok(workers[1].isStopped, how);
    it.post({ ...START, settings: three });
    await settled();
    assert.equal(workers.length, 3, "nor is it tried again");
    assert.deepEqual(workers[0].posted.at(-1).share.models, ["base", "b"]);
    assert.deepEqual(workers[2].posted.at(-1).share.models, ["a", "c"]);
    assert.deepEqual(said, [], how);
  }
});

test("on a GPU, with one worker, and for one arm there is no crew", async () => {
  for (const options of [{ engine: "webgpu" }, { workers: 1 }, { memory: 3e9 }]) {
    const { it, workers, types } = crew(options);
    it.post({ type: "warm_up", settings: SETTINGS });
    it.post(START);
    it.post({ type: "play" });
    assert.equal(workers.length, 1);
    assert.deepEqual(posted(workers[0]), ["load", "warm_up", "start", "play"]);
    workers[0].state("preparing");
    begins(workers[0], ["lora", "full"]);
    workers[0].state("running");
    assert.deepEqual(types(), ["run", "running"]);
    assert.equal(it.size, 1);
  }
});

test("an experiment's runs stay in one worker; an arm is checked where it trained", async () => {
  const { it, workers, types } = await paused();
  it.post({ type: "counterfactual", arm: "full" });
  assert.deepEqual(workers.map(posted), [["pause"], ["counterfactual"]]);
  workers[0].state("paused");
  workers[1].say({ type: "experiment", preset: "check", label: "", done: 0, total: 1 });
  begins(workers[1], ["full"], 2);
  workers[1].step("full", 1, 2);
  assert.deepEqual(types(), ["experiment", "run", "step"]);
  it.post({ type: "experiment", preset: "p", seeds: 1, instructions: "", heldout: "", probes: "" });
  it.post({ type: "play" });
  assert.deepEqual(workers.map(posted), [["experiment", "play"], ["pause"]]);
  begins(workers[0], [], 5);
  it.post(START);
  assert.equal(workers[1].posted.at(-1).share.run, 6, "numbers are not used again");
});

test("a check that cannot be leaves the run as it is", async () => {
  const { it, workers } = await paused();
  it.post({ type: "counterfactual", arm: "full" });
  workers[1].say({ type: "error", name: "setting", message: "nothing borrowed" });
  workers.forEach((worker) => (worker.posted.length = 0));
  it.post({ type: "ask", id: 1, question: "Who?", max_tokens: 1, sampling: {} });
  assert.deepEqual(workers.map(posted), [["ask"], ["ask"]]);
});

test("all hold an adapter, those that come later too, and the page hears of it once", async () => {
  const { it, workers, types } = crew();
  const add = (name) => ({ type: "add_adapter", name, files: ["f"], blobs: [] });
  const list = (...names) => ({ type: "adapters", adapters: names.map((name) => ({ name })) });
  it.post(add("a"));
  it.post(add("bad"));
  workers[0].say(list("a"));
  it.post({ type: "warm_up", settings: SETTINGS });
  await settled();
  workers[1].say({ type: "ready", engine: "cpu", memory: 1 });
  assert.deepEqual(workers[1].posted.slice(1), [add("a")]);
  workers[1].say(list("a"));
  it.post({ type: "remove_adapter", name: "a" });
  assert.equal(workers[1].posted.at(-1).type, "remove_adapter");
  assert.deepEqual(types(), ["adapters"]);
});

test("what an arm has come to is held by all", async () => {
  const { it, workers, types } = await paused();
  it.post({ type: "keep_adapter", name: "mine", arm: "full" });
  it.post({ type: "save", arm: "full" });
  assert.deepEqual(posted(workers[1]), ["save", "save"]);
  for (const _ of [1, 2]) {
    workers[1].say({ type: "part", arm: "full", file: "adapter_config.json", bytes: new Uint8Array([1]) });
    workers[1].say({ type: "part", arm: "full", file: "adapter_config.json", bytes: new Uint8Array([2]) });
    workers[1].say({ type: "saved", arm: "full" });
  }
  assert.deepEqual(types(), ["part", "part", "saved"], "the page's own");
  for (const worker of workers) {
    const { name, files, blobs } = worker.posted.at(-1);
    assert.deepEqual([name, files, [...new Uint8Array(await blobs[0].arrayBuffer())]], ["mine", ["adapter_config.json"], [1, 2]]);
  }
});

test("another model ends the workers of the one before, and stopping ends all", async () => {
  const { it, workers } = await paused();
  it.post({ ...LOAD, model: { name: "other", files: [] } });
  workers[0].say({ type: "refused", message: "no" });
  assert.ok(!workers[1].isStopped, "a model that is refused changes nothing");
  it.post({ ...LOAD, model: { name: "third", files: [] } });
  workers[0].say({ type: "ready", engine: "cpu", memory: 1 });
  assert.ok(workers[1].isStopped);
  it.post(START);
  await settled();
  assert.equal(workers[2].posted[0].model.name, "third");
  it.stop();
  assert.ok(workers[0].isStopped && workers[2].isStopped);
  workers[2].say({ type: "ready", engine: "cpu", memory: 1 });
  await settled();
  assert.ok(!workers[0].posted.some(({ share }) => share?.run === 2), "what waited is not begun");
});
