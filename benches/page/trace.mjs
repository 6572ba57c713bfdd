// What a trace of the browser tells of the page's UI thread, frame by frame.

/** Categories of events that `frames` needs. */
export const CATEGORIES = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "v8", "blink"];

/** The events of the page's own UI thread that have a length, in order: those of the busiest renderer. */
function uiThread(events) {
  const threads = events.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const of = ({ pid, tid }) => events.filter((event) => event.ph === "X" && event.pid === pid && event.tid === tid);
  const [busiest] = threads.map(of).sort((a, b) => b.length - a.length);
  return busiest.sort((a, b) => a.ts - b.ts || b.dur - a.dur);
}

/**
 * What the UI thread did from each frame's start to the next's, the browser's own work included: style, layout,
 * paint, garbage collection. A frame starts with the task that calls animation frames; the page must ask for
 * all of them.
 * @param {object[]} trace events
 * @returns {{cpu: number, wall: number, collected: number, events: object[]}[]} milliseconds of processor time, on the
 *   clock, and of processor time that collected garbage
 */
export function frames(trace) {
  const found = [[]];
  let end = -1;
  for (const event of uiThread(trace)) {
    if (event.ts >= end) {
      end = event.ts + event.dur;
      found.at(-1).push({ events: [event], isStart: false });
      continue;
    }
    const task = found.at(-1).at(-1);
    task.events.push(event);
    if (event.name === "FireAnimationFrame" && !task.isStart) {
      task.isStart = true;
      found.push([found.at(-1).pop()]);
    }
  }
  return found.slice(1, -1).map((tasks) => ({
    cpu: sum(tasks, ({ events: [task] }) => processorTime(task)),
    wall: sum(tasks, ({ events: [task] }) => task.dur / 1e3),
    collected: sum(tasks, collected),
    events: tasks.flatMap((task) => task.events),
  }));
}

const sum = (list, of) => list.reduce((total, entry) => total + of(entry), 0);

const processorTime = ({ tdur, dur }) => (tdur ?? dur) / 1e3;

/** Of a task: all of it where the heap's sweeper posted it, else its collections. */
function collected({ events }) {
  if (events.some(({ args }) => /Sweep|IncrementalMarkingJob/.test(args?.src_func ?? ""))) return processorTime(events[0]);
  let end = -1;
  return sum(events, (event) => {
    if (event.ts < end || !/^(Major|Minor)GC$|^V8\.GC|^BlinkGC/.test(event.name)) return 0;
    end = event.ts + event.dur;
    return processorTime(event);
  });
}

/** What a frame spent its processor time on, without what is reported of inner events: the longest few, as text. */
export function longest({ events }) {
  const sums = new Map();
  const open = [];
  const close = (until) => {
    while (open.length > 0 && open.at(-1).end <= until) {
      const { name, own } = open.pop();
      sums.set(name, (sums.get(name) ?? 0) + own);
    }
  };
  for (const event of events) {
    close(event.ts);
    const own = processorTime(event);
    if (open.length > 0) open.at(-1).own -= own;
    const called = event.name === "FunctionCall" ? ` ${event.args.data?.functionName ?? ""}` : "";
    open.push({ name: event.name + called, own, end: event.ts + event.dur });
  }
  close(Infinity);
  const sorted = [...sums].sort((a, b) => b[1] - a[1]);
  return sorted.slice(0, 6).map(([name, ms]) => `${name} ${ms.toFixed(1)}`).join(", ");
}
