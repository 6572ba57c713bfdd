// Values one by one, for rows of any width.
alias V = f32;
const LANES = 1u;

// The sum of a value's components.
fn total(v: V) -> f32 { return v; }
