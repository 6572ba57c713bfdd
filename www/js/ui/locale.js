/**
 * Some browsers name a language that Intl refuses ("en-US@posix", where the system's is C), and uPlot asks for its
 * numbers while it loads. For those visitors numbers are written as in English. Imported before anything else.
 */
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
}
