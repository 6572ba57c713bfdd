// Ends a run with the line "Playwright: N passed, N failed", which scripts/test adds up. A skipped test is a failed one:
// nothing may be left out silently.
export default class CountReporter {
  onBegin(_config, suite) {
    this.suite = suite;
  }

  onEnd(result) {
    const tests = this.suite.allTests();
    const passed = tests.filter((test) => test.outcome() === "expected").length;
    const failed = Math.max(tests.length - passed, result.status === "passed" ? 0 : 1);
    console.log(`Playwright: ${passed} passed, ${failed} failed`);
    return { status: failed === 0 ? "passed" : "failed" };
  }

  printsToStdio() {
    return true;
  }
}
