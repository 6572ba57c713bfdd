// Arms as a list: a visitor adds, copies, names, mutes and removes them, and the link and the run follow.
import { LITTLE_ASKED, expect, openDrawer, openPage, screenshots, test, waitForEngine } from "./helpers.js";

const card = (page, id) => page.locator(`[data-arm-card="${id}"]`);
/** What the arms of the next run are called. */
const names = (page) => page.locator("[data-arm-name]").evaluateAll((inputs) => inputs.map((input) => input.value));
const hash = (page) => new URL(page.url()).hash;

test("arms are added, copied, named, muted and removed @plain", async ({ page, site }) => {
  await openPage(page, site);
  await waitForEngine(page);
  const cards = page.locator("[data-arm-card]");
  const add = page.locator('[data-add-arm="full"]');
  await expect(cards).toHaveCount(2);
  await openDrawer(page, "setup");

  await add.click();
  await expect(cards).toHaveCount(3);
  await card(page, "lora").getByRole("button", { name: "Duplicate" }).click();
  expect(await names(page)).toEqual(["LoRA", "LoRA 2", "Full", "Full 2"]);

  const name = page.locator('[data-arm-name="full-2"]');
  await name.fill("Full");
  await name.press("Tab");
  await expect(name).toHaveAttribute("aria-invalid", "true");
  await name.fill("Near the base");
  await name.press("Tab");
  await card(page, "full-2").getByText("More of this arm").click();
  const penalty = page.locator("#arm-full-2-kl");
  await penalty.fill("0.3");
  await penalty.press("Tab");
  await expect.poll(() => hash(page)).toContain("&arm=full+kl=0.3+id=full-2+label=%22Near+the+base%22");

  await card(page, "lora").getByRole("button", { name: "Mute" }).click();
  await expect(page.locator('[data-chip="lora"]')).not.toBeChecked();
  await card(page, "lora").getByRole("button", { name: "Remove" }).click();
  expect(await names(page)).toEqual(["LoRA 2", "Full", "Near the base"]);
  await expect(page.locator("#next-arms")).toHaveText("Next run: 3 arms");

  for (let arms = 4; arms <= 6; arms++) await add.click();
  await expect(cards).toHaveCount(6);
  await expect(add).toBeDisabled();
  const before = hash(page);
  await page.reload();
  await waitForEngine(page);
  await expect(cards).toHaveCount(6);
  expect(hash(page)).toBe(before);
});

test("six arms train, and each is drawn @plain", async ({ page, site }, testInfo) => {
  const link = new URLSearchParams(`v=2&engine=cpu&steps=4&${LITTLE_ASKED}&examples=8`);
  for (const rank of [1, 4, 64]) link.append("arm", `lora r=${rank} label="Rank ${rank}"`);
  for (const penalty of [0, 0.1, 1]) link.append("arm", `full kl=${penalty} label="Full, KL ${penalty}"`);
  await openPage(page, site, `#${link}`);
  await waitForEngine(page);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 170_000 });
  for (const part of ["canvas[data-wall]", "[data-shift]"]) {
    await expect(page.locator(`${part}:visible`), part).toHaveCount(6);
  }
  await openDrawer(page, "weights");
  await expect(page.locator("[data-weights]:visible")).toHaveCount(6);
  await openDrawer(page, "");
  await expect(page.locator("#arm-chips label")).toHaveText(["Rank 1", "Rank 4", "Rank 64", "Full, KL 0", "Full, KL 0.1", "Full, KL 1"]);
  await page.locator('[data-chip="lora-2"]').uncheck();
  await expect(page.locator("canvas[data-wall]:visible"), "a muted arm is not shown").toHaveCount(5);
  await page.locator('[data-chip="lora-2"]').check();
  await screenshots(page, testInfo, "six-arms");
});

test("a link with a seventh arm, or a method that this build lacks, says so and opens @plain", async ({ page, site }) => {
  for (const [arms, message] of [
    [Array(7).fill("arm=lora").join("&"), /1 to 6 arms, not 7/],
    ["arm=prefix+r=8", /prefix is no method/],
  ]) {
    await openPage(page, site, `#v=2&${arms}`);
    await expect(page.locator('[data-error="address"]')).toContainText(message);
    await expect(page.locator("[data-arm-card]")).toHaveCount(2);
  }
});
