/** Fetches from other hosts, through a worker that may (far-worker.js). */

/** @typedef {{id: number, status?: number, url?: string, headers?: [string, string][], part?: Uint8Array<ArrayBuffer> | null, error?: string}} Answer */

/** @type {Worker | null} */
let worker = null;
let requests = 0;
/** Who waits for the next answer to a request. @type {Map<number, (answer: Answer) => void>} */
const waiting = new Map();

function start() {
  worker = new Worker(new URL("./far-worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }) => waiting.get(data.id)?.(data));
  return worker;
}

/**
 * As `fetch`, for what follows a file's first `from` bytes.
 * @returns {Promise<Response>} whose `url` is not known
 * @throws {TypeError} where the host does not answer, or lets no other page read its files
 */
export async function fetchFar(/** @type {URL} */ where, from = 0, /** @type {AbortSignal | null} */ signal = null) {
  const id = (requests += 1);
  const post = (worker ?? start()).postMessage.bind(worker);
  const answer = (/** @type {object} */ message) =>
    /** @type {Promise<Answer>} */ (
      new Promise((resolve, reject) => {
        waiting.set(id, (found) => (found.error === undefined ? resolve(found) : reject(new TypeError(found.error))));
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
        post({ id, ...message });
      })
    );
  const over = () => {
    waiting.delete(id);
    post({ id, isOver: true });
  };
  signal?.throwIfAborted();
  signal?.addEventListener("abort", over, { once: true });
  const { status = 0, headers = [] } = await answer({ url: where.href, from });
  const body = new ReadableStream({
    async pull(controller) {
      const { part } = await answer({});
      if (part) return controller.enqueue(part);
      waiting.delete(id);
      controller.close();
    },
    cancel: over,
  });
  const isEmpty = [101, 204, 205, 304].includes(status);
  return new Response(isEmpty ? null : body, { status, headers });
}
