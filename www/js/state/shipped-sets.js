/** The instruction sets that the page comes with; `scripts/make-instructions.py` and `scripts/make-sets.py` write them. */
import { t } from "../ui/text.js";

/** @typedef {{id: string, name: string, file: string, about: string}} ShippedSet */

/** The first is the one that the page opens with. @type {ShippedSet[]} */
export const SHIPPED_SETS = [
  {
    id: "original",
    name: t("shipped-sets.original.name"),
    file: "data/instructions.jsonl",
    about: t("shipped-sets.original.about"),
  },
  {
    id: "style-only",
    name: t("shipped-sets.style-only.name"),
    file: "data/style-only.jsonl",
    about: t("shipped-sets.style-only.about"),
  },
  {
    id: "new-facts",
    name: t("shipped-sets.new-facts.name"),
    file: "data/instructions-new-facts.jsonl",
    about: t("shipped-sets.new-facts.about"),
  },
  {
    id: "contradictions",
    name: t("shipped-sets.contradictions.name"),
    file: "data/contradictions.jsonl",
    about: t("shipped-sets.contradictions.about"),
  },
];
