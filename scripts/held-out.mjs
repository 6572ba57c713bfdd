import { readFileSync } from "node:fs";

const TEXTS = readFileSync(new URL("../data/heldout.jsonl", import.meta.url), "utf8");

/** Has a page measure only the first held-out texts of its 64, which are most of what a measure of a large model takes. */
export function fewHeldOut(page, count = 2) {
  const body = TEXTS.split("\n", count).join("\n");
  return page.route("**/data/heldout.jsonl", (route) => route.fulfill({ body, contentType: "application/jsonl" }));
}
