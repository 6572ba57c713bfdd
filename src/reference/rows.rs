//! The loops of the fused operations, over plain slices.
//!
//! Each function is the formula in its comment and nothing else; [`super::ops`] joins forward and
//! backward. N rows, C columns.

/// `exp` to about 2 ulp, branch-free so that the loops around it vectorise.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts: the first is exact in few bits, so k * LN2_HIGH has no rounding error.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // 1.5 * 2^23: adding it rounds to an integer and leaves that in the low mantissa bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = x - k * LN2_HIGH - k * LN2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    // The low bits of `shifted` are k; moved into the exponent they are 2^k.
    let power = (shifted.to_bits().wrapping_add(127)) << 23;
    y * f32::from_bits(power)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight partial sums: one running sum would make every addition wait for the one before.
    let mut sums = [0f32; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + tail
}

/// The largest of x; -infinity of none. NaN is passed over or returned, by where it stands.
fn maximum(x: &[f32]) -> f32 {
    // f32::max is a call in WebAssembly, because of what it promises for NaN; a comparison vectorises.
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut lanes = [f32::NEG_INFINITY; 8];
    let chunks = x.chunks_exact(8);
    let tail = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, larger);
    for chunk in chunks {
        for lane in 0..8 {
            lanes[lane] = larger(lanes[lane], chunk[lane]);
        }
    }
    lanes.iter().copied().fold(tail, larger)
}

fn inverse_rms(x: &[f32], eps: f32) -> f32 {
    (dot(x, x) / x.len() as f32 + eps).sqrt().recip()
}

/// y = w * x * r with r = 1 / sqrt(mean(x^2) + eps), for each row of x (N, C).
pub fn rms_norm(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
    for (x, y) in x.chunks_exact(w.len()).zip(y.chunks_exact_mut(w.len())) {
        let r = inverse_rms(x, eps);
        for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
            *y = w * x * r;
        }
    }
}

/// dx = r * (g * w) - x * r^3 / C * sum(g * w * x), for each row.
pub fn rms_norm_grad_x(x: &[f32], w: &[f32], g: &[f32], eps: f32, dx: &mut [f32]) {
    let c = w.len();
    for ((x, g), dx) in x.chunks_exact(c).zip(g.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
        let r = inverse_rms(x, eps);
        for ((dx, g), w) in dx.iter_mut().zip(g).zip(w) {
            *dx = g * w;
        }
        let scale = dot(dx, x) * r * r * r / c as f32;
        for (dx, x) in dx.iter_mut().zip(x) {
            *dx = *dx * r - x * scale;
        }
    }
}

/// dw = sum over rows of g * x * r.
pub fn rms_norm_grad_w(x: &[f32], g: &[f32], eps: f32, dw: &mut [f32]) {
    let c = dw.len();
    for (x, g) in x.chunks_exact(c).zip(g.chunks_exact(c)) {
        let r = inverse_rms(x, eps);
        for ((dw, x), g) in dw.iter_mut().zip(x).zip(g) {
            *dw += g * x * r;
        }
    }
}

/// p = softmax(scale * s) over columns 0 ..= t of row t; zero beyond. s is (N, T, T).
pub fn causal_softmax(s: &[f32], time: usize, scale: f32, p: &mut [f32]) {
    for (row, (s, p)) in s.chunks_exact(time).zip(p.chunks_exact_mut(time)).enumerate() {
        let seen = row % time + 1;
        let max = maximum(&s[..seen]);
        for (p, s) in p[..seen].iter_mut().zip(s) {
            *p = exp(scale * (s - max));
        }
        let inverse = p[..seen].iter().sum::<f32>().recip();
        p[..seen].iter_mut().for_each(|p| *p *= inverse);
        p[seen..].fill(0.0);
    }
}

/// ds = scale * p * (g - sum(p * g)), for each row; zero where p is.
pub fn causal_softmax_grad(p: &[f32], g: &[f32], time: usize, scale: f32, ds: &mut [f32]) {
    let rows = p.chunks_exact(time).zip(g.chunks_exact(time)).zip(ds.chunks_exact_mut(time));
    for ((p, g), ds) in rows {
        let mean = dot(p, g);
        for ((ds, p), g) in ds.iter_mut().zip(p).zip(g) {
            *ds = scale * p * (g - mean);
        }
    }
}

/// y = silu(a) * b with silu(a) = a / (1 + exp(-a)).
pub fn swiglu(a: &[f32], b: &[f32], y: &mut [f32]) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y = a / (1.0 + exp(-a)) * b;
    }
}

/// da = g * b * sigma * (1 + a * (1 - sigma)) with sigma = sigmoid(a).
pub fn swiglu_grad_a(a: &[f32], b: &[f32], g: &[f32], da: &mut [f32]) {
    for (((da, a), b), g) in da.iter_mut().zip(a).zip(b).zip(g) {
        let sigma = 1.0 / (1.0 + exp(-a));
        *da = g * b * sigma * (1.0 + a * (1.0 - sigma));
    }
}

/// The log of the sum of exp(x) over a row, with its maximum taken out.
pub fn log_sum_exp(x: &[f32]) -> f32 {
    let max = maximum(x);
    let mut sums = [0f32; 8];
    let chunks = x.chunks_exact(8);
    let tail: f32 = chunks.remainder().iter().map(|x| exp(x - max)).sum();
    for chunk in chunks {
        for lane in 0..8 {
            sums[lane] += exp(chunk[lane] - max);
        }
    }
    max + (sums.iter().sum::<f32>() + tail).ln()
}

/// dx = scale * (softmax(x) - onehot(target)) for one row.
pub fn cross_entropy_grad(x: &[f32], target: usize, scale: f32, dx: &mut [f32]) {
    let log_sum = log_sum_exp(x);
    for (dx, x) in dx.iter_mut().zip(x) {
        *dx = scale * exp(x - log_sum);
    }
    dx[target] -= scale;
}

/// Σ q (log q - log p) with p = softmax(x), q = softmax(base), for one row.
pub fn kl(base: &[f32], x: &[f32]) -> f64 {
    let (log_sum, base_log_sum) = (log_sum_exp(x), log_sum_exp(base));
    let term = |(x, base): (&f32, &f32)| {
        let (logp, logq) = (x - log_sum, base - base_log_sum);
        f64::from(exp(logq) * (logq - logp))
    };
    x.iter().zip(base).map(term).sum()
}

/// dx = scale * (softmax(x) - softmax(base)) for one row.
pub fn kl_grad(base: &[f32], x: &[f32], scale: f32, dx: &mut [f32]) {
    let (log_sum, base_log_sum) = (log_sum_exp(x), log_sum_exp(base));
    for ((dx, x), base) in dx.iter_mut().zip(x).zip(base) {
        *dx = scale * (exp(x - log_sum) - exp(base - base_log_sum));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maximum_is_found_at_every_place() {
        for len in [1, 7, 8, 9, 33] {
            for place in 0..len {
                let x: Vec<f32> = (0..len).map(|i| if i == place { -1.0 } else { -2.0 - i as f32 }).collect();
                assert_eq!(maximum(&x), -1.0, "{len} values, the largest at {place}");
            }
        }
    }

    #[test]
    fn exp_is_as_good_as_the_library() {
        for i in -870..=880 {
            let x = i as f32 * 0.1;
            let (ours, theirs) = (exp(x), x.exp());
            assert!((ours - theirs).abs() <= 4e-7 * theirs, "{x}: {ours} {theirs}");
        }
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite());
    }
}
