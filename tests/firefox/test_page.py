"""The built page in Firefox, headless, which Marionette drives: it computes on the CPU there.

scripts/test browser builds the page and runs this. By itself: scripts/setup test, then
"$(source scripts/env && firefox_python)" tests/firefox/test_page.py
"""

import gc
import os
import subprocess
import sys
import time
import unittest
from pathlib import Path

from marionette_driver.by import By
from marionette_driver.marionette import Marionette

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "test-artifacts" / "firefox"
RUN = (
    "#v=2&engine=cpu&batch=4&max_len=32&measure_every=5&probes=20&asked=0&shift_prompts=1&answer_len=4&samples=4&examples=16"
    "&arm=lora+lr=0.003+warmup=0&arm=full+lr=0.001+warmup=0&steps="
)

# What the browser has logged of pages: errors, and what the policy has refused.
LOGGED = """
  const logged = [];
  for (const message of Services.console.getMessageArray()) {
    if (!(message instanceof Ci.nsIScriptError) || message.isFromChromeContext) continue;
    const isError = !(message.flags & Ci.nsIScriptError.warningFlag);
    // Trusted Types are for browsers that have them.
    const isOfPolicy = message.category.startsWith("CSP_") && message.category !== "CSP_couldNotProcessUnknownDirective";
    if (isError || isOfPolicy) logged.push(`${message.category}: ${message.errorMessage}`);
  }
  return logged;
"""

# What the pages themselves have, and their workers; known to their process alone.
SAID = """
  const storage = Cc["@mozilla.org/consoleAPI-storage;1"].getService(Ci.nsIConsoleAPIStorage);
  const events = storage.getEvents().filter(({ level }) => level === "error");
  return events.map(({ arguments: [text] }) => `console: ${text}`);
"""
FORGET_SAID = 'Cc["@mozilla.org/consoleAPI-storage;1"].getService(Ci.nsIConsoleAPIStorage).clearEvents()'


class Page(unittest.TestCase):
    """Each test has a server of its own, so that nothing an earlier one kept is in its way."""

    @classmethod
    def setUpClass(cls):
        LOGS.mkdir(parents=True, exist_ok=True)
        firefox = os.environ["FIREFOX"]
        cls.firefox = Marionette(app="fxdesktop", bin=firefox, headless=True, gecko_log=str(LOGS / "gecko.log"))
        cls.addClassCleanup(cls.stop_firefox)
        cls.firefox.start_session()
        cls.firefox.timeout.script = cls.firefox.timeout.page_load = 60
        print("Firefox", cls.firefox.session_capabilities["browserVersion"], flush=True)

    @classmethod
    def stop_firefox(cls):
        cls.firefox.cleanup()
        del cls.firefox
        gc.collect()  # its destructors fail, loudly, once Python shuts down

    def setUp(self):
        self.forget()
        self.serve()
        self.addCleanup(self.stop_serving)

    def tearDown(self):
        self.assertEqual(self.logged(), [], "what the browser has logged")

    def serve(self):
        command = ["node", "scripts/static-server.mjs", "--root", "dist", "--port", "0", "--base", "/some/path/"]
        self.server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.site = self.server.stdout.readline().split()[1]

    def stop_serving(self):
        self.server.terminate()
        self.server.wait()
        self.server.stdout.close()

    def logged(self):
        with self.firefox.using_context("chrome"):
            logged = self.firefox.execute_script(LOGGED)
        return logged + self.firefox.execute_script(SAID, sandbox="system")

    def forget(self):
        with self.firefox.using_context("chrome"):
            self.firefox.execute_script("Services.console.reset()")
        self.firefox.execute_script(FORGET_SAID, sandbox="system")

    def ask(self, expression, *arguments):
        """The value of an expression in the page."""
        return self.firefox.execute_script(f"return {expression}", list(arguments))

    def until(self, expression, seconds=60):
        """Waits until an expression in the page is true."""
        end = time.monotonic() + seconds
        while not self.ask(expression):
            if time.monotonic() > end:
                self.firefox.save_screenshot(open(LOGS / f"{self.id()}.png", "wb"))
                self.fail(f"not within {seconds} s: {expression}")
            time.sleep(0.1)

    def open(self, at=""):
        self.firefox.navigate(self.site + at)
        self.wait_for_engine()

    def reload(self):
        """Marionette's own refresh asks no service worker."""
        self.firefox.navigate("about:blank")
        self.open()

    def wait_for_engine(self):
        self.until("document.documentElement.dataset.engine")
        self.assertEqual(self.ask("document.documentElement.dataset.engine"), "cpu")

    def click(self, selector):
        self.firefox.find_element(By.CSS_SELECTOR, selector).click()

    def text(self, selector):
        return self.ask("document.querySelector(arguments[0]).textContent", selector)

    def step(self):
        return int(self.text("#bar [data-step]"))

    def test_ten_steps_lower_the_loss(self):
        self.open(RUN + "10")
        self.click("#play")
        self.until('document.documentElement.dataset.run === "done"')
        self.assertEqual(self.step(), 10)
        self.click('#figure-choice [value="loss"]')
        self.click('[data-figure="loss"] details summary')
        cells = '[...document.querySelectorAll(`[data-figure="loss"] tbody tr`)].map((row) => [...row.cells].map((cell) => cell.textContent))'
        self.until(f"{cells}.length === 6")
        for arm in ("LoRA", "Full"):
            rows = [row for row in self.ask(cells) if row[1] == arm]
            self.assertEqual([row[0] for row in rows], ["0", "5", "10"])
            held_out = [float(row[3]) for row in rows]
            self.assertLess(max(held_out[1:]), 0.95 * held_out[0], arm)

    def test_a_run_pauses_steps_and_is_offered_after_a_reload(self):
        self.open(RUN + "200")
        self.click("#play")
        self.until('document.querySelector("#kept-size").textContent.includes("The run is kept")')
        self.click("#play")
        self.until('document.documentElement.dataset.run === "paused"')
        at = self.step()
        self.assertGreaterEqual(at, 5)
        time.sleep(1)
        self.assertEqual(self.step(), at)
        self.take_a_step(at)
        self.reload()
        self.until('!document.querySelector("#kept-run").hidden')
        self.assertRegex(self.text("#kept-text"), r"^A run stopped at step \d+ of 200 \(LoRA, Full\)\.$")
        kept = int(self.text("#kept-text").split()[5])
        self.click("#kept-go-on")
        self.until(f'document.querySelector("#bar [data-step]").textContent === "{kept}"')
        self.take_a_step(kept)

    def take_a_step(self, at):
        self.click("#step")
        self.until(f'document.querySelector("#bar [data-step]").textContent === "{at + 1}"')

    def test_drawers_open_and_the_lesson_turns(self):
        self.open()
        drawers = self.ask('[...document.querySelectorAll("#dock [data-open]")].map(({ dataset }) => dataset.open)')
        self.assertGreaterEqual(len(drawers), 7)
        for name in drawers:
            self.click(f'#dock [data-open="{name}"]')
            self.assertTrue(self.firefox.find_element(By.ID, name).is_displayed(), name)
        self.click(f'#dock [data-open="{drawers[-1]}"]')
        self.assertEqual(self.text("#lesson-place"), "1 of 9")
        self.click("#lesson-next")
        self.until('document.querySelector("#lesson-place").textContent === "2 of 9"')

    def test_opens_without_a_network(self):
        self.open()
        self.until('document.documentElement.dataset.offline === "ready"')
        self.until("navigator.serviceWorker.controller !== null")
        self.stop_serving()
        self.reload()

    def test_what_is_logged_is_seen(self):
        self.firefox.navigate(self.site)
        self.ask("void setTimeout(() => { throw new Error('thrown by the test') })")
        self.ask("document.body.append(Object.assign(document.createElement('img'), { src: 'https://example.org/' }))")
        self.ask("console.error('said by the test')")
        end = time.monotonic() + 10
        while len(self.logged()) < 3 and time.monotonic() < end:
            time.sleep(0.1)
        logged = "\n".join(self.logged())
        self.assertRegex(logged, "thrown by the test")
        self.assertRegex(logged, "console: said by the test")
        self.assertRegex(logged, "CSP_.*example.org")
        self.forget()


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2, warnings="ignore").result  # the driver leaves sockets open
    # One that fails twice, in its body and by what is logged, is one.
    failed = len({test.id() for test, _ in [*result.errors, *result.failures, *result.skipped]})
    passed = max(0, result.testsRun - failed)
    print(f"Firefox: {passed} passed, {failed} failed", flush=True)
    sys.exit(failed > 0 or passed == 0)
