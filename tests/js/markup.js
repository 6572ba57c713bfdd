// The pages' markup: index.html with its parts, as Trunk puts it together, and bench.html.
import { readFileSync } from "node:fs";

const www = new URL("../../www/", import.meta.url);
const read = (path) => readFileSync(new URL(path, www), "utf8");

export const benchMarkup = () => read("bench.html");
export const markup = () => read("index.html").replace(/<link data-trunk rel="inline"[^>]* href="([^"]+)">/g, (_, path) => read(path));
