/**
 * Fetches from other hosts, by addresses that a visitor has typed or a link names. The page itself may reach its own host only
 * (its Content-Security-Policy); a worker of its own keeps that so for everything else. Parts are sent as they are asked for.
 */
/** @type {Map<number, {reader: ReadableStreamDefaultReader<Uint8Array> | undefined, stop: AbortController}>} */
const requests = new Map();

export {}; // a module, as it is started

addEventListener("message", async (/** @type {MessageEvent<{id: number, url?: string, from?: number, isOver?: boolean}>} */ { data }) => {
  const { id, url, from, isOver } = data;
  try {
    if (url !== undefined) {
      const stop = new AbortController();
      requests.set(id, { reader: undefined, stop });
      const response = await fetch(url, { signal: stop.signal, headers: from ? { Range: `bytes=${from}-` } : {} });
      requests.set(id, { reader: response.body?.getReader(), stop });
      const headers = ["Content-Encoding", "Content-Length"].flatMap((name) => {
        const value = response.headers.get(name);
        return value === null ? [] : [[name, value]];
      });
      return postMessage({ id, status: response.status, url: response.url, headers });
    }
    if (isOver) {
      requests.get(id)?.stop.abort();
      return requests.delete(id);
    }
    const part = await requests.get(id)?.reader?.read();
    if (!part || part.done) requests.delete(id);
    postMessage({ id, part: part?.value ?? null }, { transfer: part?.value ? [part.value.buffer] : [] });
  } catch (error) {
    requests.delete(id);
    postMessage({ id, error: /** @type {Error} */ (error).message });
  }
});
