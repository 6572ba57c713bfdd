// A model from another host: resumed, kept in this browser and removed. Where it can't be kept it is loaded all the same.
import { expect, exportRecord, openDrawer, test } from "./helpers.js";
import { load, looked, open, otherHost, refused, train } from "./models.js";

const kept = (page) => page.locator("#model-kept li");
const address = (page) => page.getByLabel("Address, or a Hub repository");
const fetchIt = (page) => page.getByRole("button", { name: "Fetch", exact: true }).click();
const times = ({ asked }, name) => asked.filter((line) => line.split(" ")[0] === name).length;

test("a model is fetched from another host, resumed, kept and removed @plain", async ({ page, site, errors }) => {
  const state = { breaks: true };
  const other = await otherHost(state);
  await open(page, site, "cpu");
  await address(page).fill(`${other.url}/theirs`);
  // The connection breaks in the middle of the weights.
  await fetchIt(page);
  await refused(page, "network error");
  await expect(kept(page)).toContainText("theirs, 125.0 kB so far");
  await kept(page).getByRole("button", { name: "Go on" }).click();
  await looked(page, /^theirs, .* parameters/);
  expect(state.asked.at(-1)).toBe("model.safetensors bytes=1000-");
  await expect(kept(page)).toContainText("theirs, 4.2 MB");
  await expect(page.locator("#model-not-kept")).toHaveText("");
  await load(page, "LoRA", "theirs");
  // Without a network.
  state.isGone = true;
  await kept(page).getByRole("button", { name: "Open" }).click();
  await looked(page, /^theirs, .* parameters/);
  await load(page, "LoRA", "theirs");
  await page.getByRole("button", { name: "Remove theirs" }).click();
  await expect(kept(page)).toHaveCount(0);
  other.close();
  errors.length = 0; // another host, and its failures, were asked for
});

test("hosts that do not answer, are closed to other pages, send no ranges or end early @plain", async ({ page, site, errors }) => {
  const state = { isGone: true };
  const other = await otherHost(state);
  await open(page, site, "cpu");
  await address(page).fill(`${other.url}/theirs`);
  await fetchIt(page);
  await refused(page, "did not answer this page", "Fetch the files yourself and choose them here");
  state.isGone = false;
  state.isClosed = true;
  await fetchIt(page);
  await refused(page, "does not let other pages read its files (CORS)", "Fetch the files yourself and choose them here");
  state.isClosed = false;
  await address(page).fill(`${other.url}/none/`);
  await fetchIt(page);
  await refused(page, "There is no config.json");
  // Half a file that claims to be whole is refused by the engine; removed, it is fetched anew.
  await address(page).fill(`${other.url}/theirs`);
  Object.assign(state, { endsEarly: true, hasNoSizes: true });
  await fetchIt(page);
  await refused(page, "model.safetensors");
  await page.getByRole("button", { name: "Remove theirs" }).click();
  await expect(kept(page)).toHaveCount(0);
  // It breaks, and then the host sends the file from its beginning.
  Object.assign(state, { endsEarly: false, hasNoSizes: false, breaks: true, hasNoRanges: true });
  await fetchIt(page);
  await refused(page, "network error");
  await fetchIt(page);
  await looked(page, /^theirs, .* parameters/);
  expect(state.asked.at(-1)).toBe("model.safetensors bytes=1000-");
  await load(page, "LoRA", "theirs");
  expect(await train(page)).toHaveLength(3);
  other.close();
  errors.length = 0; // another host, and its failures, were asked for
});

/** Fetches and loads a model that can't be kept, beside a run that stays. */
async function unkept(page, other, why) {
  const before = await exportRecord(page);
  await openDrawer(page, "models");
  await address(page).fill(`${other.url}/theirs`);
  await fetchIt(page);
  await looked(page, /^theirs, .* parameters/);
  await expect(page.locator("#model-not-kept")).toHaveText(why);
  await load(page, "LoRA", "theirs");
  await expect(page.locator("#model-not-kept")).toHaveText(why);
  await expect(page.locator("#alerts .alert")).toHaveCount(0);
  expect(await exportRecord(page)).toEqual(before);
  expect(await train(page)).toHaveLength(3);
}

test("a model that the browser has no room for stays in memory @plain", async ({ page, site, errors, context }) => {
  const state = {};
  const other = await otherHost(state);
  await open(page, site, "cpu");
  await train(page);
  const setRoom = async (bytes) => {
    const usage = await page.evaluate(async () => (await navigator.storage.estimate()).usage);
    const browser = await context.newCDPSession(page);
    await browser.send("Storage.overrideQuotaForOrigin", { origin: new URL(site.url).origin, quotaSize: usage + bytes });
  };
  const why = "theirs is not kept, since this browser gives the page no more room: it stays in memory for this visit, and removing what is kept makes room.";
  await setRoom(2e6);
  await unkept(page, other, why);
  expect(times(state, "model.safetensors"), "what the store did not take comes again, into memory").toBe(2);
  await openDrawer(page, "models");
  await expect(kept(page)).toContainText("so far");
  // The same where the size is not known before the room is used up.
  state.hasNoSizes = true;
  await unkept(page, other, why);
  // With room it is kept.
  await setRoom(1e9);
  await openDrawer(page, "models");
  await kept(page).getByRole("button", { name: "Go on" }).click();
  await looked(page, /^theirs, .* parameters/);
  await expect(page.locator("#model-not-kept")).toHaveText("");
  await expect(kept(page)).toContainText("theirs, 4.2 MB");
  other.close();
  errors.length = 0; // another host was asked
});

test("a model that the browser may not keep stays in memory @plain", async ({ page, site, errors }) => {
  const other = await otherHost({});
  await page.addInitScript(() => {
    navigator.storage.getDirectory = () => Promise.reject(new DOMException("Security error when calling GetDirectory", "SecurityError"));
  });
  await open(page, site, "cpu");
  await train(page);
  await unkept(
    page,
    other,
    "theirs is not kept, since this browser gives the page no place for files, as in a private window: it stays in memory for this visit, and another window or browser would keep it.",
  );
  await openDrawer(page, "models");
  await expect(kept(page)).toHaveCount(0);
  other.close();
  errors.length = 0; // another host was asked
});
