// Data of one's own: recognised, searched, edited, undone; tokens counted; sets that ship; and the engine trains on them.
import { LITTLE_MEASURED, expect, horizontalOverflow, openDrawer, openPage, screenshots, test, waitForEngine } from "./helpers.js";

const SMALL = `steps=2&${LITTLE_MEASURED}&arm=lora`;
const LONG = "a very long question about nothing in particular ".repeat(8);
const CSV = [
  "instruction,input,output",
  '"What is 2, and 3?",,"It is ""5""."',
  "Say hello,,",
  "Spell cat,<img src=x onerror=alert(1)>,C A T",
  "too,many,cells,here",
  `${LONG},,Yes.`,
].join("\r\n");

const file = (name, text) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
const rows = (page) => page.locator("#instructions-table tbody tr");
const field = (page, name) => page.getByRole("textbox", { name, exact: true });
const act = (page, name) => page.getByRole("button", { name, exact: true });
const turn = (page, name) => page.getByRole("group", { name: "Pages of the table" }).getByRole("button", { name });

async function openEditor(page, site, hash = SMALL) {
  await openPage(page, site, `#v=2&${hash}`);
  await waitForEngine(page);
  await openDrawer(page, "data");
  await expect(rows(page)).toHaveCount(50);
}

test("a CSV is opened, edited, undone and trained on @plain", async ({ page, site }, testInfo) => {
  await openEditor(page, site, `${SMALL}&max_len=48`);
  await expect(page.locator("#instructions-tokens")).toHaveText(
    /^256 rows, \d+ tokens on average, \d+ at most; .*at 48\.$/,
  );
  await page.locator("#instructions-file").setInputFiles(file("tips.csv", CSV));
  await expect(page.locator("#instructions-read")).toHaveText("tips.csv: CSV, Alpaca form: 3 rows; 2 rows left out.");
  await expect(page.locator("#instructions-count")).toHaveText("tips.csv, 3 rows");
  await page.locator("#instructions-bad > summary").click();
  await expect(page.locator("#instructions-bad tbody tr")).toHaveText([
    /^3\s*output\s*is missing$/,
    /^5\s*the row\s*has 4 cells, the header 3/,
  ]);
  await expect(rows(page)).toHaveCount(3);
  await expect(rows(page).nth(1)).toContainText("<img src=x onerror=alert(1)>");
  await expect(page.locator("#instructions-tokens")).toHaveText(
    /^3 rows, \d+ tokens on average, \d+ at most; 1 is cut at 48, 1 of them before its answer: .*\.$/,
  );
  await expect(rows(page).nth(2).locator(".cut")).toHaveText("cut at 48, before its answer");
  await expect(rows(page).nth(0).locator(".tokens")).toHaveText(/^\d+$/);

  await act(page, "Edit row 1").click();
  await expect(field(page, "Question")).toBeFocused();
  await field(page, "Answer").fill("");
  await act(page, "Keep").click();
  await expect(page.locator(".row-form [role=alert]")).toHaveText("The answer is empty.");
  await field(page, "Answer").fill("It is 6.");
  await page.keyboard.press("Control+Enter");
  await expect(rows(page).nth(0)).toContainText("It is 6.");
  await expect(act(page, "Edit row 1")).toBeFocused();
  await expect(page.locator("#instructions-count")).toHaveText("tips.csv, 3 rows, edited");
  await act(page, "Undo").click();
  await expect(rows(page).nth(0)).toContainText('It is "5".');
  await act(page, "Redo").click();
  await expect(rows(page).nth(0)).toContainText("It is 6.");

  await act(page, "Undo all").click();
  await expect(rows(page).nth(0)).toContainText('It is "5".');
  await expect(act(page, "Redo")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(rows(page).nth(0)).toContainText("It is 6.");

  await act(page, "Delete row 1").click();
  await expect(rows(page)).toHaveCount(2);
  await expect(act(page, "Delete row 1")).toBeFocused();
  await page.keyboard.press("Control+z");
  await expect(rows(page)).toHaveCount(3);
  await page.locator("#instructions-filter").fill("CAT");
  await expect(rows(page)).toHaveCount(1);
  await act(page, "Add a row").click();
  await field(page, "Question").fill("New?");
  await field(page, "Answer").fill("New.");
  await act(page, "Keep").click();
  await expect(rows(page)).toHaveCount(4);
  await expect(act(page, "Edit row 4")).toBeFocused();

  await page.locator("#instructions-as-text > summary").click();
  const text = page.locator("#instructions-text");
  await expect(text).toHaveValue(/^\{"instruction":"What is 2, and 3\?","input":"","output":"It is 6\."\}\n(.*\n){3}$/);
  await text.press("Control+End");
  await text.pressSequentially('{"prompt":"p","completion":"c"}\n{"prompt":"p"}');
  await expect(rows(page)).toHaveCount(5);
  await expect(page.locator("#instructions-bad tbody tr")).toHaveText([/^6\s*completion\s*is missing$/]);
  expect(await horizontalOverflow(page, 360)).toBe(0);
  await screenshots(page, testInfo, "data");

  await page.locator("#instructions-cut").check();
  await expect(rows(page)).toHaveCount(1);
  await act(page, "Delete row 3").click();
  await expect(page.locator("#instructions-tokens")).toContainText("none is cut at 48");
  await act(page, "Play").click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
});

test("a set that ships is chosen and trained on @plain", async ({ page, site }) => {
  await openEditor(page, site);
  const set = page.getByLabel("Set", { exact: true });
  await expect(set.locator("option:not([hidden])")).toHaveText([
    "Style and facts",
    "Style only",
    "New facts",
    "Contradictions",
  ]);
  for (const [name, size] of [
    ["Style only", 192],
    ["New facts", 180],
    ["Contradictions", 192],
  ]) {
    await set.selectOption(name);
    await expect(page.locator("#instructions-count")).toHaveText(`${name}, ${size} rows`);
    await expect(page.locator("#instructions-tokens")).toHaveText(new RegExp(`^${size} rows, .*none is cut at 64\\.$`));
  }
  await act(page, "Play").click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
  await expect(page.locator("#instructions-restart")).toBeHidden();
  await act(page, "Undo").click();
  await expect(set).toHaveValue("new-facts");
  await expect(page.locator("#instructions-restart")).toBeVisible();
  expect(new URL(page.url()).hash).toContain("&set=new-facts");
  await page.reload();
  await waitForEngine(page);
  await expect(page.locator("#instructions-count")).toHaveText("New facts, 180 rows");
});

test("what holds no row leaves the set as it was, and a set without one is refused @plain", async ({
  page,
  site,
  errors,
}) => {
  await openEditor(page, site);
  for (const [name, content, why] of [
    ["a.parquet", "PAR1....", "a.parquet is a Parquet file; save it as JSON Lines or CSV first."],
    ["a.jsonl", '{"text":"a"}', "a.jsonl: no row of it can be used (line 1: text is one text"],
  ]) {
    await page.locator("#instructions-file").setInputFiles(file(name, content));
    await expect(page.locator("#instructions-error")).toContainText(why);
    await expect(page.locator("#instructions-count")).toHaveText("Style and facts, 256 rows");
  }
  await page.locator("#instructions-as-text > summary").click();
  await page.locator("#instructions-text").fill("hello");
  await act(page, "Play").click(); // before the pause is over
  await expect(page.locator('[data-error="instructions"]')).toContainText(
    "The set has no row to train on (line 1: the row is not JSON",
  );
  await expect(page.locator("#instructions-count")).toHaveText("no row to train on");
  expect(errors).toEqual([]);
});

test("pasted and dropped rows replace the set @plain", async ({ page, site }) => {
  await openEditor(page, site);
  const bring = (type, text) =>
    page.locator("#instructions-table").evaluate(
      (table, [name, content]) => {
        const data = new DataTransfer();
        data.setData("text/plain", content);
        const event =
          name === "paste"
            ? new ClipboardEvent(name, { clipboardData: data, bubbles: true })
            : new DragEvent(name, { dataTransfer: data, bubbles: true });
        table.dispatchEvent(event);
      },
      [type, text],
    );
  await bring(
    "paste",
    '[{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"},{"from":"human","value":"c"},{"from":"gpt","value":"d"}]}]',
  );
  await expect(page.locator("#instructions-read")).toHaveText("Pasted rows: JSON, ShareGPT form: 1 row.");
  await expect(rows(page)).toContainText(["4 turns"]);
  await act(page, "Edit row 1").click();
  await field(page, "2. Assistant").fill("B");
  await act(page, "Keep").click();
  await page.locator("#instructions-as-text > summary").click();
  await expect(page.locator("#instructions-text")).toHaveValue(/"assistant","content":"B"/);
  await bring("drop", "prompt\tcompletion\na\tb\n");
  await expect(page.locator("#instructions-read")).toHaveText(
    "Pasted rows: tab-separated values, prompt and completion form: 1 row.",
  );
});

test("ten thousand rows stay smooth @plain", async ({ page, site }) => {
  await openEditor(page, site);
  const many = Array.from(
    { length: 10_000 },
    (_, i) => `{"instruction":"What is ${i}?","output":"It is the number ${i}."}`,
  ).join("\n");
  await page.locator("#instructions-file").setInputFiles(file("many.jsonl", many));
  await expect(page.locator("#instructions-shown")).toHaveText("Rows 1 to 50 of 10,000");
  await turn(page, "Next").click();
  await expect(page.locator("#instructions-shown")).toHaveText("Rows 51 to 100 of 10,000");
  await turn(page, "Previous").click();
  await expect(turn(page, "Next")).toBeFocused();
  await page.locator("#instructions-filter").fill("no such row");
  await expect(page.locator("#instructions-shown")).toHaveText("No row is found.");
  const slowest = await page.evaluate(async () => {
    const times = [];
    const filter = document.querySelector("#instructions-filter");
    for (const word of ["9", "99", "999", ""]) {
      const start = performance.now();
      filter.value = word;
      filter.dispatchEvent(new Event("input"));
      document.body.getBoundingClientRect();
      times.push(performance.now() - start);
      await new Promise(requestAnimationFrame);
    }
    const start = performance.now();
    document.querySelector("#instructions-table [data-act=Delete]").click();
    times.push(performance.now() - start);
    return Math.max(...times);
  });
  console.log(`slowest of search and delete: ${slowest.toFixed(0)} ms`);
  expect(slowest).toBeLessThan(500);
  await expect(page.locator("#instructions-count")).toHaveText("many.jsonl, 9,999 rows, edited");
  await expect(page.locator("#instructions-tokens")).toHaveText(/^9,999 rows, \d+ tokens on average/, {
    timeout: 60_000,
  });
});
