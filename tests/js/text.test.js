// The page's words: each name in the code is in the catalogue and each in the catalogue is used; German has them all.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { ERROR_HELP, FAIRNESS, METRICS, PRESETS, READINGS } from "../../www/js/contract/data.js";
import { benchMarkup, markup } from "./markup.js";
import { chooseLanguage } from "../../www/js/ui/language.js";
import { t } from "../../www/js/ui/text.js";

const www = new URL("../../www/", import.meta.url);
const read = (path) => readFileSync(new URL(path, www), "utf8");
const catalogue = (language) => JSON.parse(read(`lang/${language}.json`));
const [english, german] = ["en", "de"].map(catalogue);
const sources = readdirSync(new URL("js/", www), { recursive: true }).filter((name) => name.endsWith(".js"));
const code = sources.map((name) => read(`js/${name}`)).join("\n");
const page = markup() + benchMarkup();

/** What of the contract is shown: its English is the catalogue of it. */
const contract = [
  ...METRICS.flatMap(({ name }) => [`metric.${name}`, `metric-long.${name}`]),
  ...FAIRNESS.flatMap(({ name }) => [`fairness.${name}.label`, `fairness.${name}.help`]),
  ...READINGS.map(({ name }) => `reading.${name}`),
  ...PRESETS.flatMap(({ name }) => [`preset.${name}.title`, `preset.${name}.claim`]),
  ...Object.keys(ERROR_HELP).map((name) => `error.${name}`),
];

test("every text that is asked for is there, and every text that is there is asked for", () => {
  const asked = new Set([...code.matchAll(/\bt\(\s*"([^"]+)"/g)].map((match) => match[1]));
  for (const name of asked) assert.ok(Object.hasOwn(english, name), `en.json lacks ${name}`);
  const inMarkup = new Set([...page.matchAll(/data-t(?:-[\w-]+)?="([^"]+)"/g)].map((match) => match[1]));
  for (const name of inMarkup) assert.ok(Object.hasOwn(english, name), `en.json lacks ${name} of the page`);
  // Names that are put together are written as `name.${…}`.
  const made = [...code.matchAll(/\bt\(\s*`([^`$]+)\$\{/g)].map((match) => match[1]);
  for (const name of Object.keys(english)) {
    const isUsed = asked.has(name) || inMarkup.has(name) || made.some((start) => name.startsWith(start)) || code.includes(`"${name}"`);
    assert.ok(isUsed, `nothing uses ${name}`);
  }
});

const placeholders = (text) => [...String(typeof text === "string" ? text : text.other).matchAll(/\{(\w+)\}|<(\d)>/g)].map((match) => match[0]).sort();

test("German has every text, with the same placeholders", () => {
  for (const name of Object.keys(english)) {
    assert.ok(Object.hasOwn(german, name), `de.json lacks ${name}`);
    assert.deepEqual(placeholders(german[name]), placeholders(english[name]), name);
  }
  for (const name of contract) assert.ok(Object.hasOwn(german, name), `de.json lacks ${name}`);
  const fields = /^(field|metric|metric-long|fairness|reading|preset|error|condition|reason)\./;
  for (const name of Object.keys(german)) assert.ok(Object.hasOwn(english, name) || fields.test(name), `en.json lacks ${name}`);
});

test("German has every reason for an engine, with the engine's values", () => {
  const engine = ["src/engine/autotune/choice.rs", "src/web/machine.rs"].map((path) => read(`../${path}`)).join("\n");
  const names = [...engine.matchAll(/(?:Said::new|software)\(\s*"([\w-]+)"/g)].map((match) => match[1]);
  assert.deepEqual(names.map((name) => `reason.${name}`).sort(), Object.keys(german).filter((name) => name.startsWith("reason.")));
  const values = [...engine.matchAll(/\("(\w+)", /g)].map((match) => `{${match[1]}}`);
  for (const name of names) for (const placeholder of placeholders(german[`reason.${name}`])) assert.ok(values.includes(placeholder), name);
});

test("the language is the one that is asked for, then the browser's first that is here", () => {
  assert.equal(chooseLanguage("de", ["en-US"]), "de");
  assert.equal(chooseLanguage(null, ["fr-FR", "de-AT", "en"]), "de");
  assert.equal(chooseLanguage("xx", ["fr"]), "en");
  assert.equal(chooseLanguage("../../evil", []), "en");
});

test("placeholders are filled once, and an unknown name is seen", () => {
  assert.equal(t("no.such.text"), "no.such.text");
  assert.equal(t("a {n} and {n}, {other}", { n: 12345 }), "a 12,345 and 12,345, {other}");
  assert.equal(t("{a}", { a: "{b}", b: "c" }), "{b}");
});
