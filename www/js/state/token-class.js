/** Class of a token by its rank in the base (Lin et al., arXiv 2312.01552). */
export function classOf(/** @type {number} */ rank) {
  return rank <= 1 ? "unshifted" : rank <= 3 ? "marginal" : "shifted";
}

/** How many of these tokens are shifted. */
export function shiftedOf(/** @type {{rank: number}[]} */ tokens) {
  return tokens.filter(({ rank }) => classOf(rank) === "shifted").length;
}
