/**
 * Says to a course page that embeds this one how far a run or a lesson is (docs/teaching.md): states and figures, never a text
 * that a visitor has brought.
 */

/**
 * @typedef {{type: "ready", engine: string} | {type: "state", state: string, step: number} |
 *   {type: "measure", arm: string, step: number, heldout_loss: number, kl: number, recall_cloze: number} |
 *   {type: "lesson", step: number, steps: number}} Milestone
 */

export const isEmbedded = parent !== window;

export function tell(/** @type {Milestone} */ milestone) {
  if (isEmbedded) parent.postMessage({ source: "driftscope", ...milestone }, "*");
}
