/** The instruction sets that the page comes with; `scripts/make-instructions.py` and `scripts/make-sets.py` write them. */

/** @typedef {{id: string, name: string, file: string, about: string}} ShippedSet */

/** The first is the one that the page opens with. @type {ShippedSet[]} */
export const SHIPPED_SETS = [
  {
    id: "original",
    name: "Style and facts",
    file: "data/instructions.jsonl",
    about: "The assistant's style, words, and facts that the base knows, about a third of the countries and elements.",
  },
  {
    id: "style-only",
    name: "Style only",
    file: "data/style-only.jsonl",
    about:
      "The same style without any fact: small talk, sentences to rewrite, sums. Whatever is forgotten, no row has said otherwise.",
  },
  {
    id: "new-facts",
    name: "New facts",
    file: "data/instructions-new-facts.jsonl",
    about: "60 facts about 16 invented countries, which the base can't know, each asked in three ways.",
  },
  {
    id: "contradictions",
    name: "Contradictions",
    file: "data/contradictions.jsonl",
    about:
      "96 facts that the base knows, answered falsely on purpose: another capital, currency or symbol, each asked in two ways.",
  },
];
