// A static web server for dist/, as plain as any host the page may be put on: no special headers.
//
//   node scripts/static-server.mjs [--root dist] [--port 8080] [--base /]
//
// With --base /some/path/ the files lie under that sub-path and nothing lies outside it.
// Tests import `serveStatic` instead.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".csv": "text/csv; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".jsonl": "application/jsonl; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".safetensors": "application/octet-stream",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

/** The file that a request means, or null. Never a file outside `root`. */
async function findFile(root, base, url) {
  const path = decodeURIComponent(new URL(url, "http://localhost").pathname);
  if (!path.startsWith(base)) return null;
  let file = resolve(root, "." + sep + path.slice(base.length));
  if (file !== root && !file.startsWith(root + sep)) return null;
  let info = await stat(file);
  if (info.isDirectory() && path.endsWith("/")) {
    file = join(file, "index.html");
    info = await stat(file);
  }
  return info.isFile() ? { file, bytes: info.size } : null;
}

async function answer(root, base, request, response) {
  let found = null;
  try {
    found = await findFile(root, base, request.url);
  } catch {
    // A malformed address or a missing file: not found, as below.
  }
  if (!found || !["GET", "HEAD"].includes(request.method)) {
    response.writeHead(404, { "Content-Type": "text/plain" }).end("not found\n");
    return;
  }
  response.writeHead(200, {
    "Content-Type": TYPES[extname(found.file)] ?? "application/octet-stream",
    "Content-Length": found.bytes,
    "Cache-Control": "no-cache", // a rebuilt page shows after a plain reload
  });
  if (request.method === "HEAD") response.end();
  else createReadStream(found.file).on("error", () => response.destroy()).pipe(response);
}

/**
 * Serves `root` on localhost under the sub-path `base`; port 0 takes any free one.
 * @returns {Promise<{url: string, close: () => Promise<void>}>}
 */
export function serveStatic({ root, port = 0, base = "/" }) {
  const folder = resolve(root);
  const server = createServer((request, response) => answer(folder, base, request, response));
  return new Promise((done, fail) => {
    server.on("error", fail);
    server.listen(port, "localhost", () => done({
      url: `http://localhost:${server.address().port}${base}`,
      close: () => new Promise((closed) => {
        server.close(closed);
        server.closeAllConnections();
      }),
    }));
  });
}

/** The first free port from `port` on. */
async function serveFromPort(options, port) {
  for (let candidate = port; ; candidate++) {
    try {
      return await serveStatic({ ...options, port: candidate });
    } catch (error) {
      if (error.code !== "EADDRINUSE" || candidate >= port + 20) throw error;
    }
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      root: { type: "string", default: "dist" },
      port: { type: "string" },
      base: { type: "string", default: "/" },
    },
  });
  const options = { root: values.root, base: values.base };
  const site = values.port
    ? await serveStatic({ ...options, port: Number(values.port) })
    : await serveFromPort(options, 8080);
  console.log(`Driftscope: ${site.url}   (Ctrl-C ends)`);
}
