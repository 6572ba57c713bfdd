// Values one by one, for rows of any width.
alias V = f32;
const LANES = 1u;

// The sum of a value's components.
fn total(v: V) -> f32 { return v; }

// Four consecutive values, from the first one's place and the next three.
fn four_of(a: V, b: V, c: V, d: V) -> vec4f { return vec4f(a, b, c, d); }
