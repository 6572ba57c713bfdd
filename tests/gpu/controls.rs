//! Negative controls: a kernel with a mistake in it must fail the comparison with its CPU twin.
//! `scripts/negative-controls` shows the table and writes it to docs/negative-controls.md.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use driftscope::gpu::Gpu;
use driftscope::kernels::{self as k, Kernel};

use crate::common::gpu;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/negative-controls.md");

const HEAD: &str = "\
# Negative controls

Would the tests notice a wrong kernel? Each line replaces a piece of a shader by a wrong one and runs the comparison with
the kernel's CPU twin, which must then fail in the output named last. A mistake that passed would fail the tests.
Written by `scripts/negative-controls --write`; a test keeps it equal to `tests/gpu/controls.rs`.

| Kernel | Right | Wrong | Noticed by | In |
|---|---|---|---|---|
";

/// One wrong place in one shader, and the comparison that must notice it.
struct Mistake {
    kernel: &'static Kernel,
    right: &'static str,
    wrong: &'static str,
    test: &'static str,
    compare: fn(&Gpu),
}

macro_rules! mistakes {
    ($($kernel:ident $right:literal => $wrong:literal, $file:ident::$function:ident;)*) => {
        vec![$(Mistake {
            kernel: &k::$kernel,
            right: $right,
            wrong: $wrong,
            test: concat!(stringify!($file), "::", stringify!($function)),
            compare: crate::$file::$function,
        }),*]
    };
}

/// At least one for each kernel, more for those that do distinct things.
#[rustfmt::skip]
fn mistakes() -> Vec<Mistake> {
    mistakes![
        ACCUMULATE "now.micro == 0u" => "now.micro == 1u", accumulate::record;
        ADAMW "i < u.decayed" => "i <= u.decayed", adamw::record;
        ADAMW "(1.0 - now.beta2)" => "(1.0 - now.beta1)", adamw::record;
        ADAMW_QUADS "u.len / LANES" => "u.len / LANES - 1u", adamw::record;
        ADAMW_QUADS "u.decayed / LANES" => "u.decayed", adamw::record;
        ADVANCE "+=" => "=", select::advance;
        ATTENTION_BACKWARD_KV "if i < j" => "if i <= j", attention::backward;
        ATTENTION_BACKWARD_KV "dv[c] += p *" => "dv[c] += ds *", attention::backward;
        ATTENTION_BACKWARD_Q "j <= i" => "j < i", attention::backward;
        ATTENTION_BACKWARD_Q "delta[at] = own" => "delta[at] = 0.5 * own", attention::backward;
        ATTENTION_FORWARD "j <= position[0] + i" => "j < position[0] + i", attention::forward;
        ATTENTION_FORWARD "position[0] + i" => "i", attention::forward_from_cache;
        ATTENTION_FORWARD "max_score + log(sum)" => "log(sum)", attention::forward;
        ATTENTION_TILES_BACKWARD_KV "& (queries < vec4u(u.time))" => "", attention::backward;
        ATTENTION_TILES_BACKWARD_KV "if tile > 0u" => "if i > j", attention::backward;
        ATTENTION_TILES_BACKWARD_KV "y1 * near1" => "y0 * near1", attention::backward;
        ATTENTION_TILES_BACKWARD_Q "keys <= vec4u(seen)" => "keys < vec4u(seen)", attention::backward;
        ATTENTION_TILES_BACKWARD_Q "if j > 0u" => "if j > SIDE", attention::backward;
        ATTENTION_TILES_BACKWARD_Q "own1, rows(i + 4u," => "own1, rows(i,", attention::backward;
        ATTENTION_TILES_FORWARD "seen0 = rows(position[0] + i," => "seen0 = rows(i,", attention::forward_from_cache;
        ATTENTION_TILES_FORWARD ", keep0)" => ", vec4f(1.0))", attention::forward;
        ATTENTION_TILES_FORWARD "far * far1" => "far * far0", attention::forward;
        CROSS_ENTROPY_BACKWARD "* now.inv_targets" => "* now.lr", cross_entropy::backward;
        CROSS_ENTROPY_BACKWARD "log(sum) - (" => "log(sum) + (", cross_entropy::backward;
        CROSS_ENTROPY_BACKWARD "4u * slice; v < u.vocab" => "4u * slice; v + 4u < u.vocab", cross_entropy::backward;
        CROSS_ENTROPY_CHUNK_BACKWARD "u.start + v" => "v", cross_entropy_chunk::backward;
        CROSS_ENTROPY_CHUNK_BACKWARD "logits[at] = 0.0" => "logits[at] = now.inv_targets", cross_entropy_chunk::backward;
        CROSS_ENTROPY_CHUNK_FORWARD "before.y * exp(before.x - largest)" => "before.y", cross_entropy_chunk::forward;
        CROSS_ENTROPY_CHUNK_FORWARD "var own = before.z" => "var own = before.w", cross_entropy_chunk::forward;
        CROSS_ENTROPY_CHUNK_FORWARD "if u.start > 0u" => "if u.start >= 0u", cross_entropy_chunk::forward;
        CROSS_ENTROPY_FORWARD "v < columns" => "v + 4u < columns", cross_entropy::forward;
        CROSS_ENTROPY_FORWARD "max(partial[t], partial[t + half])" => "min(partial[t], partial[t + half])", cross_entropy::forward;
        CROSS_ENTROPY_FORWARD "exp(four(row, v) - largest), is_there" => "exp(four(row, v) - largest), vec4(true)", cross_entropy::forward;
        DORA_BACKWARD_MAGNITUDE "sum / norm[n]" => "sum", dora::magnitude;
        DORA_BACKWARD_MAGNITUDE "norm[n] == 0.0" => "norm[n] < 0.0", dora::magnitude;
        DORA_NORM "(group * u.rank + r)" => "r", dora::norm;
        DORA_NORM "u.scale * low" => "low", dora::norm;
        DORA_NORM "vec4u(k) + LANES < vec4u(u.k)" => "vec4<bool>(true)", dora::norm;
        DORA_NORM "u.adapted >> group" => "u.adapted", dora::norm;
        DORA_NORM "i % 2u == 1u" => "i % 2u == 0u", dora::norm;
        DORA_SCALE "magnitude[n] / norm[n]" => "norm[n]", dora::scale;
        DORA_SCALE "value += y[i]" => "value = y[i]", dora::scale;
        EMBEDDING_BACKWARD "] += sum" => "] = sum", embedding::backward;
        EMBEDDING_BACKWARD "order[i] * u.width" => "i * u.width", embedding::backward;
        EMBEDDING_FORWARD "i % u.width" => "i / u.width", embedding::forward;
        EMBEDDING_FORWARD "i % 2u == 1u" => "i % 2u == 0u", embedding::forward;
        EMBEDDING_FORWARD "x[i] = 0.0" => "x[i] = 1.0", embedding::forward;
        FILL "i >= u.len" => "i > u.len", fill::record;
        FINISH_STEP "min(1.0," => "max(1.0,", grad_norm::finish_step;
        FINISH_STEP "2u * slot] = loss" => "2u * slot] = sums.y", grad_norm::finish_step;
        FINISH_STEP "partial[t] += partial" => "partial[t] = partial", grad_norm::finish_step;
        KL_BACKWARD "* now.inv_targets" => "* now.lr", kl::backward;
        KL_BACKWARD "u.strength * (p - q)" => "u.strength * (q - p)", kl::backward;
        KL_BACKWARD "(y - log_sums.y) - (x - log_sums.x)" => "(x - log_sums.x) - (y - log_sums.y)", kl::backward;
        KL_BACKWARD "u.start + four" => "four", kl::backward;
        KL_BACKWARD "terms, four < vec4u(u.width)" => "terms, vec4(true)", kl::backward;
        KL_BACKWARD "nll[n] +=" => "nll[n] =", kl::backward;
        KL_BACKWARD "v < columns" => "v + 4u < columns", kl::backward;
        KV_APPEND "|| position[0] >= u.kv_time" => "", kv_cache::record;
        KV_APPEND "+ u.heads_width + c" => "+ c", kv_cache::record;
        LORA_BACKWARD_OUTPUT "m < u.m;" => "m < u.m - 1u;", lora::gradients;
        LORA_BACKWARD_OUTPUT "n < end;" => "n < end - 1u;", lora::gradients;
        LORA_BACKWARD_OUTPUT "dxa[at + e] = u.scale * values[e]" => "dxa[at + e] = values[e]", lora::gradients;
        LORA_BACKWARD_OUTPUT "partial[t + half * stride]" => "partial[t + half]", lora::gradients;
        LORA_TILES_BACKWARD_OUTPUT "(row + i) * u.groups + t.g" => "(row + i) * u.groups", lora::gradients;
        LORA_TILES_BACKWARD_OUTPUT "four_terms(t, term, r + 4u)" => "four_terms(t, term, r)", lora::gradients;
        LORA_TILES_BACKWARD_OUTPUT "block(t, row + 8u, term)" => "block(t, row + 4u, term)", lora::gradients;
        LORA_TILES_BACKWARD_OUTPUT ", term < u.m)" => ", true)", lora::gradients;
        LORA_TILES_BACKWARD_OUTPUT_QUADS "(four + term * u.rank) / LANES" => "four + term * u.rank / LANES", lora::gradients;
        LORA_TILES_BACKWARD_OUTPUT_QUADS "* u.groups + t.g" => "* u.groups", lora::gradients;
        MATMUL_REGISTER "block_a(m + 4u, k)" => "block_a(m, k)", matmul::register;
        MATMUL_REGISTER "i % 2u == 1u" => "i % 2u == 0u", matmul::register;
        MATMUL_REGISTER "k + 3u < u.k" => "k + 4u < u.k", matmul::register;
        MATMUL_REGISTER "s20 = s30" => "", matmul::register;
        MATMUL_REGISTER "row_q(j, n + 12u, first)" => "row_q(j, n + 8u, first)", lora::register;
        MATMUL_REGISTER "first = group(vec4u(n)).x * u.rank" => "first = 0u", lora::register;
        MATMUL_REGISTER "own < vec4u(u.rank)" => "own <= vec4u(u.rank)", lora::register;
        MATMUL_REGISTER "column(n + 15u), SPLIT" => "n, SPLIT", lora::register;
        MATMUL_SKINNY "column_a(m, k) *" => "1.001 * column_a(m, k) *", matmul::scalar;
        MATMUL_SKINNY "i % 2u == 1u" => "i % 2u == 0u", matmul::scalar;
        MATMUL_SKINNY "k += SLICES" => "k += SLICES + 1u", matmul::sliced;
        MATMUL_SKINNY "group(n) * u.rank + r" => "r", lora::sliced;
        MATMUL_TILED "block_a(y, 3u)" => "block_a(y, 2u)", matmul::tiled;
        MATMUL_TILED "x + i * 16u" => "x * 4u + i", matmul::tiled;
        MATMUL_TILED "unpack2x16float(two.y)" => "unpack2x16float(two.x)", matmul::tiled;
        MATMUL_TILED "n >= u.end_1" => "n > u.end_1", lora::tiled;
        NEFTUNE "pcg(pcg(pcg(now.noise + b) + t) + c)" => "pcg(pcg(pcg(now.noise + b)) + c)", neftune::record;
        NEFTUNE "lengths[b] * u.width" => "u.time * u.width", neftune::record;
        PULL "(params[i] - start[i])" => "params[i]", pull::record;
        PULL "i >= u.len" => "i > u.len", pull::record;
        RMSNORM_BACKWARD "* mean" => "+ mean", rmsnorm::backward;
        RMSNORM_BACKWARD "dx[row + c] += d" => "dx[row + c] = d", rmsnorm::backward;
        RMSNORM_BACKWARD "c += SLICES" => "c += SLICES + 1u", rmsnorm::backward;
        RMSNORM_BACKWARD_QUADS "total(products)" => "products.x", rmsnorm::backward;
        RMSNORM_BACKWARD_QUADS "c += SLICES" => "c += SLICES + 1u", rmsnorm::backward;
        RMSNORM_BACKWARD_WEIGHT "partial[t + half * columns]" => "partial[t + half]", rmsnorm::backward_weight;
        RMSNORM_BACKWARD_WEIGHT "rstd[n]" => "rstd[0]", rmsnorm::backward_weight;
        RMSNORM_FORWARD "u.width) + u.eps" => "u.width) - u.eps", rmsnorm::forward;
        RMSNORM_FORWARD "partial[t] += partial" => "partial[t] = partial", rmsnorm::forward;
        RMSNORM_FORWARD "residual[row + c] = v" => "residual[row + c] = v * r", rmsnorm::forward;
        RMSNORM_FORWARD_QUADS "total(squares)" => "squares.x", rmsnorm::forward;
        RMSNORM_FORWARD_QUADS "residual[row + c] = v" => "residual[row + c] = v * r", rmsnorm::forward;
        ROPE "+ position[0]" => "", rope::forward;
        ROPE "sin = -sin" => "sin = sin", rope::backward;
        ROPE_QUADS "head * 2u * half" => "head * half", rope::forward;
        ROPE_QUADS "u.stride / LANES" => "u.stride", rope::backward;
        SELECT "logit > best.score" => "logit >= best.score", select::greedy;
        SELECT "pcg(key + v)" => "pcg(key)", select::drawn;
        SELECT "t) >= wanted" => "t) >= 0.8 * wanted", select::nucleus;
        SELECT "scores[t] += scores[t + half * across]" => "scores[t] += scores[t]", select::nucleus;
        SHIFT "v < token" => "v <= token", shift::record;
        SHIFT "logp.x - logp.y" => "logp.y - logp.x", shift::record;
        SUM_SQUARES "i >= u.len" => "i >= u.len - 1u", grad_norm::sum_squares;
        SWIGLU_BACKWARD "1.0 - s)" => "1.0 + s)", swiglu::backward;
        SWIGLU_BACKWARD "dh[i] * gate * s" => "dh[i] * s", swiglu::backward;
        SWIGLU_BACKWARD_QUADS "i / width * width" => "i / width", swiglu::backward;
        SWIGLU_BACKWARD_QUADS "const LANES = 4u" => "const LANES = 2u", swiglu::backward;
        SWIGLU_FORWARD "-max(x" => "max(x", swiglu::forward;
        SWIGLU_FORWARD_QUADS "gate_up[at + width]" => "gate_up[at + u.width]", swiglu::forward;
        SWIGLU_LORA_FORWARD "h[rows.y + c] = v1" => "h[rows.y + c] = v0", swiglu::forward_lora;
        SWIGLU_LORA_FORWARD "c += SLICES" => "c += SLICES + 1u", swiglu::forward_lora;
        SWIGLU_LORA_FORWARD "= sum[i][e]" => "= sum[e][i]", swiglu::forward_lora;
        SWIGLU_LORA_FORWARD_QUADS "h[rows.w + c] = v3" => "", swiglu::forward_lora;
        SWIGLU_LORA_FORWARD_QUADS "total(value * a3)" => "total(value * a2)", swiglu::forward_lora;
        TOP_K "logit <= best" => "logit < best", top_k::record;
        TOP_K "best[0] + log(sum)" => "log(sum)", top_k::record;
        UNPACK_F16 "unpack2x16float" => "unpack2x16snorm", unpack_f16::record;
    ]
}

/// The first difference that the comparison reports: "output[index]: got x, want y".
fn notice(gpu: &Gpu, mistake: &Mistake) -> String {
    let Mistake { kernel, right, wrong, compare, .. } = *mistake;
    assert!(kernel.source.contains(right), "{}: there is no {right:?}", kernel.name);
    gpu.replace_source(kernel, kernel.source.replace(right, wrong));
    let panic = catch_unwind(AssertUnwindSafe(|| compare(gpu)));
    gpu.replace_source(kernel, kernel.source.into());
    let panic = panic.expect_err(&format!("{}: {wrong:?} passes for {right:?}", kernel.name));
    let message = panic.downcast_ref::<String>().map_or("", String::as_str);
    // A shader that does not compile would prove nothing.
    assert!(message.contains(": got "), "{}: failed otherwise: {message}", kernel.name);
    message.into()
}

/// A kernel's name, with the parts that stand in front of it.
fn full_name(kernel: &Kernel) -> String {
    let parts = kernel.parts.iter().map(|part| format!("{part}, "));
    parts.chain([kernel.name.to_owned()]).collect()
}

/// A cell of a table in Markdown.
fn code(text: &str) -> String {
    if text.is_empty() { "nothing".into() } else { format!("`{}`", text.replace('|', "\\|")) }
}

#[test]
fn mistakes_are_noticed() {
    let gpu = gpu();
    let mut document = HEAD.to_owned();
    for mistake in mistakes() {
        let message = notice(&gpu, &mistake);
        let Mistake { kernel, right, wrong, test, .. } = mistake;
        println!("control: {} | {right} -> {wrong} | {test}: {message}", full_name(kernel));
        let output = message.split(['[', ',', ':']).next().unwrap_or_default();
        let cells = [full_name(kernel), code(right), code(wrong), code(test), output.into()];
        document += &format!("| {} |\n", cells.join(" | "));
    }
    if std::env::var_os("WRITE_CONTROLS").is_some() {
        std::fs::write(DOCUMENT, &document).unwrap();
    }
    let written = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    assert!(written == document, "docs/negative-controls.md is old: run scripts/negative-controls --write");
}

#[test]
fn every_kernel_has_a_mistake() {
    let have: BTreeSet<String> = mistakes().iter().map(|m| full_name(m.kernel)).collect();
    let want: BTreeSet<String> = crate::shaders::cases().iter().map(|case| full_name(case.kernel)).collect();
    assert_eq!(have, want);
}
