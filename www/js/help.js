/** Help for the stable error names of src/error.rs, and for those of the page itself. */

const HELP = {
  format:
    "A file or a line of the instruction set is not in the form it should have. Correct the place that is named below and press Reset.",
  setting: "A setting cannot be run. Change the one that is named below and press Reset.",
  unsupported: "The model or the file asks for something Driftscope cannot do.",
  shape:
    "Two parts of the model do not fit together. The model's files may be damaged or from different versions: reload the page.",
  gpu: "The graphics device refused a request. Choose “CPU” under This machine: slower, the same results.",
  "device-lost":
    "The graphics device went away; this happens after sleep or when a driver restarts. The run so far stays on the page and can be saved; reload to train again.",
  "out-of-memory":
    "The graphics device has too little memory for this run. A smaller batch or shorter examples need less.",
  tokenizer: "A text could not be turned into tokens.",
  "cpu-engine": "The CPU engine could not do a computation. Reset to start again from the same seed.",
  worker: "The engine stopped. What was recorded so far stays on the page; reload to train again.",
  download: "A file of the model could not be fetched. Check the connection and reload.",
  bench: "This engine could not be measured here.",
  import: "The file was not opened; the page still shows what it showed before.",
  address: "Some settings in the address could not be read; the defaults are used for them.",
  instructions: "The instruction set has an error, so no run was started.",
};

/** A sentence or two on what to do about an error. */
export function helpFor(name) {
  return HELP[name] ?? "Something went wrong.";
}
