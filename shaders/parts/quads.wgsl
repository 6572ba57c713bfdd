// Four values at once, for rows of whole quads.
alias V = vec4f;
const LANES = 4u;

// The sum of a value's components.
fn total(v: V) -> f32 { return dot(v, vec4f(1.0)); }

// Four consecutive values: all in the first one's place.
fn four_of(a: V, b: V, c: V, d: V) -> vec4f { return a; }
