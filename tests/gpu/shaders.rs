//! What holds for every shader: one [`Kernel`] each, uniforms laid out as the Rust struct, bindings as the
//! dispatch expects them, and a comparison that a wrong shader does not pass.

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};

use driftscope::gpu::Gpu;
use driftscope::kernels::{self as k, Kernel};

use crate::common::gpu;

/// Size of a struct and the offsets of its fields, in bytes.
#[derive(Debug, PartialEq)]
struct Layout {
    size: usize,
    fields: Vec<(String, usize)>,
}

macro_rules! layout {
    ($name:ident { $($field:ident),* }) => {
        Layout {
            size: size_of::<k::$name>(),
            fields: vec![$((stringify!($field).into(), offset_of!(k::$name, $field))),*],
        }
    };
}

/// A kernel with its uniforms, a small mistake (replace the first by the second), and the comparison with
/// its twin that must notice.
struct Case {
    kernel: &'static Kernel,
    uniforms: Layout,
    mistake: (&'static str, &'static str),
    compare: fn(&Gpu),
}

fn case(
    kernel: &'static Kernel,
    uniforms: Layout,
    mistake: (&'static str, &'static str),
    compare: fn(&Gpu),
) -> Case {
    Case { kernel, uniforms, mistake, compare }
}

/// A line for every file in `shaders/`.
#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let attention = || layout!(Attention { batch, time, heads, kv_heads, head_dim, q_stride, kv_stride, k_offset, v_offset, kv_time, scale });
    let rmsnorm = || layout!(RmsNorm { rows, width, eps });
    use crate::{adamw, attention, cross_entropy, embedding, fill, gather, grad_norm, kv_cache, lora, matmul, rmsnorm, rope, select, shift, swiglu, top_k};
    let product = || layout!(MatmulUniforms { m, n, k, alpha, scale, rank, groups, end_0, end_1 });
    let adapter = || layout!(LoraUniforms { m, n, rank, groups, scale, end_0, end_1 });
    vec![
        case(&k::ADAMW, layout!(AdamW { len, decayed }), ("i < u.decayed", "i <= u.decayed"), adamw::record),
        case(&k::ADVANCE, layout!(Advance { by }), ("+=", "="), select::advance),
        case(&k::ATTENTION_BACKWARD_KV, attention(), ("if i < j", "if i <= j"), attention::backward),
        case(&k::ATTENTION_BACKWARD_Q, attention(), ("j <= i", "j < i"), attention::backward),
        case(&k::ATTENTION_FORWARD, attention(), ("j <= position[0] + i", "j < position[0] + i"), attention::forward),
        case(&k::CROSS_ENTROPY_BACKWARD, layout!(CrossEntropy { rows, vocab }), ("* now.inv_targets", "* now.lr"), cross_entropy::backward),
        case(&k::CROSS_ENTROPY_FORWARD, layout!(CrossEntropy { rows, vocab }), ("v < u.vocab", "v + 1u < u.vocab"), cross_entropy::forward),
        case(&k::EMBEDDING_BACKWARD, layout!(EmbeddingBackward { rows, width }), ("] += sum", "] = sum"), embedding::backward),
        case(&k::EMBEDDING_FORWARD, layout!(Embedding { rows, width, vocab }), ("i % u.width", "i / u.width"), embedding::forward),
        case(&k::FILL, layout!(Fill { len }), ("i >= u.len", "i > u.len"), fill::record),
        case(&k::FINISH_STEP, layout!(FinishStep { rows, ring }), ("min(1.0,", "max(1.0,"), grad_norm::finish_step),
        case(&k::GATHER, layout!(Gather { rows, width }), ("rows[i / u.width]", "(i / u.width)"), gather::record),
        case(&k::KV_APPEND, layout!(KvAppend { batch, heads_width, kv_width, kv_time }), ("|| position[0] >= u.kv_time", ""), kv_cache::record),
        case(&k::LORA_BACKWARD_B, adapter(), ("m < u.m;", "m < u.m - 1u;"), lora::gradients),
        case(&k::LORA_BACKWARD_DOWN, adapter(), ("u.scale * value", "value"), lora::gradients),
        case(&k::MATMUL_REGISTER, product(), ("k + 3u < u.k", "k + 4u < u.k"), matmul::register),
        case(&k::MATMUL_SKINNY, product(), ("sum *= u.alpha", "sum *= 1.001"), matmul::scalar),
        case(&k::MATMUL_TILED, product(), ("block_a(y, 3u)", "block_a(y, 2u)"), matmul::tiled),
        case(&k::RMSNORM_BACKWARD, rmsnorm(), ("* mean", "+ mean"), rmsnorm::backward),
        case(&k::RMSNORM_BACKWARD_WEIGHT, rmsnorm(), ("rstd[n]", "rstd[0]"), rmsnorm::backward_weight),
        case(&k::RMSNORM_FORWARD, rmsnorm(), ("u.width) + u.eps", "u.width) - u.eps"), rmsnorm::forward),
        case(&k::ROPE, layout!(Rope { batch, time, heads, kv_heads, head_dim, stride, backward }), ("+ position[0]", ""), rope::forward),
        case(&k::SELECT, layout!(Select { batch, kv_time, vocab }), ("logit > best.score", "logit >= best.score"), select::greedy),
        case(&k::SHIFT, layout!(Shift { rows, vocab }), ("v < token", "v <= token"), shift::record),
        case(&k::SUM_SQUARES, layout!(SumSquares { len }), ("i < u.len", "i < u.len - 1u"), grad_norm::sum_squares),
        case(&k::SWIGLU_BACKWARD, layout!(SwiGlu { rows, width }), ("1.0 - s)", "1.0 + s)"), swiglu::backward),
        case(&k::SWIGLU_FORWARD, layout!(SwiGlu { rows, width }), ("-max(x", "max(x"), swiglu::forward),
        case(&k::TOP_K, layout!(TopK { rows, vocab, k }), ("logit <= best", "logit < best"), top_k::record),
    ]
}

fn parse(kernel: &Kernel) -> naga::Module {
    naga::front::wgsl::parse_str(kernel.source).unwrap_or_else(|e| panic!("{}: {e}", kernel.name))
}

fn struct_layout(module: &naga::Module, name: &str) -> Option<Layout> {
    let (_, ty) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name))?;
    let naga::TypeInner::Struct { members, span } = &ty.inner else { return None };
    let field = |m: &naga::StructMember| (m.name.clone().unwrap_or_default(), m.offset as usize);
    Some(Layout { size: *span as usize, fields: members.iter().map(field).collect() })
}

#[test]
fn every_shader_has_one_kernel_and_every_kernel_its_shader() {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        files.insert(stem, std::fs::read_to_string(&path).unwrap());
    }
    for case in cases() {
        let file = files.remove(case.kernel.name);
        assert_eq!(file.as_deref(), Some(case.kernel.source), "{}", case.kernel.name);
    }
    assert!(files.is_empty(), "no kernel, or no line in this test: {:?}", files.keys());
}

#[test]
fn structs_are_laid_out_as_in_rust() {
    let step = layout!(Step {
        lr,
        beta1,
        beta2,
        eps,
        weight_decay,
        bias_correction1,
        bias_correction2,
        max_norm,
        inv_targets,
        step,
        batch_offset,
        pad
    });
    for case in cases() {
        let module = parse(case.kernel);
        let uniforms = struct_layout(&module, "Uniforms").expect(case.kernel.name);
        assert_eq!(uniforms, case.uniforms, "{}", case.kernel.name);
        for (name, want) in [("Step", &step), ("Draw", &layout!(Draw { temperature, top_p, seed, sequence }))]
        {
            if let Some(found) = struct_layout(&module, name) {
                assert_eq!(found, *want, "{}", case.kernel.name);
            }
        }
    }
}

/// Browsers check that a shader's access mode is the layout's; one of them gave wrong data instead.
#[test]
fn bindings_are_uniform_then_inputs_then_outputs() {
    for Case { kernel, .. } in cases() {
        let module = parse(kernel);
        let mut spaces = BTreeMap::new();
        for (_, variable) in module.global_variables.iter() {
            if let Some(binding) = &variable.binding {
                assert_eq!(binding.group, 0, "{}", kernel.name);
                spaces.insert(binding.binding as usize, variable.space);
            }
        }
        let read = naga::StorageAccess::LOAD;
        let write = read | naga::StorageAccess::STORE;
        let want = (0..=kernel.inputs + kernel.outputs).map(|binding| {
            let space = match binding {
                0 => naga::AddressSpace::Uniform,
                b if b <= kernel.inputs => naga::AddressSpace::Storage { access: read },
                _ => naga::AddressSpace::Storage { access: write },
            };
            (binding, space)
        });
        assert_eq!(spaces, want.collect(), "{}", kernel.name);
    }
}

#[test]
fn mistakes_are_noticed() {
    let gpu = gpu();
    for Case { kernel, mistake: (right, wrong), compare, .. } in cases() {
        assert!(kernel.source.contains(right), "{}: nothing to replace", kernel.name);
        gpu.replace_source(kernel, kernel.source.replace(right, wrong));
        let panic = catch_unwind(AssertUnwindSafe(|| compare(&gpu)));
        let panic = panic.expect_err(&format!("{}: {wrong:?} passes for {right:?}", kernel.name));
        let message = panic.downcast_ref::<String>().map_or("", String::as_str);
        // A shader that does not compile would prove nothing.
        assert!(message.contains(": got "), "{}: failed otherwise: {message}", kernel.name);
        gpu.replace_source(kernel, kernel.source.into());
    }
}
