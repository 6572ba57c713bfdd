// Four values at once, for rows of whole quads.
alias V = vec4f;
alias Bits = vec4u; // of V, or of f16s packed two a word
const LANES = 4u;

// The sum of a value's components.
fn total(v: V) -> f32 { return dot(v, vec4f(1.0)); }

// Four consecutive values: all in the first one's place.
fn four_of(a: V, b: V, c: V, d: V) -> vec4f { return a; }

// The i-th four values of a matrix, from `bits`: f32, or packed f16, of which four words hold twice four. unpack2x16float
// is in every WGSL; the type f16 would need a feature.
fn value_of(bits: Bits, i: u32, is_packed: bool) -> V {
    if is_packed {
        let two = select(bits.xy, bits.zw, i % 2u == 1u);
        return vec4f(unpack2x16float(two.x), unpack2x16float(two.y));
    }
    return bitcast<vec4f>(bits);
}
