// Values one by one, for rows of any width.
alias V = f32;
alias Bits = u32; // of V, or of f16s packed two a word
const LANES = 1u;

// The sum of a value's components.
fn total(v: V) -> f32 { return v; }

// Four consecutive values, from the first one's place and the next three.
fn four_of(a: V, b: V, c: V, d: V) -> vec4f { return vec4f(a, b, c, d); }

// The i-th value of a matrix, from `bits`: f32, or packed f16, of which a word holds two. unpack2x16float is in every
// WGSL; the type f16 would need a feature.
fn value_of(bits: Bits, i: u32, is_packed: bool) -> V {
    if is_packed {
        let two = unpack2x16float(bits);
        return select(two.x, two.y, i % 2u == 1u);
    }
    return bitcast<f32>(bits);
}
