//! What holds for every shader: one [`Kernel`] each, uniforms laid out as the Rust struct, bindings as the
//! dispatch expects them.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::offset_of;

use driftscope::kernels::{self as k, Kernel};

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

pub struct Case {
    pub kernel: &'static Kernel,
    uniforms: Layout,
}

fn case(kernel: &'static Kernel, uniforms: Layout) -> Case {
    Case { kernel, uniforms }
}

/// A line for every kernel.
#[rustfmt::skip]
pub fn cases() -> Vec<Case> {
    let attention = || layout!(Attention { batch, time, heads, kv_heads, head_dim, q_stride, kv_stride, k_offset, v_offset, kv_time, scale });
    let rmsnorm = || layout!(RmsNorm { rows, width, eps });
    let product = || layout!(MatmulUniforms { m, n, k, scale, rank, groups, end_0, end_1 });
    let adapter = || layout!(LoraUniforms { m, n, rank, groups, scale, end_0, end_1, down });
    let dora = || layout!(Dora { m, n, k, rank, scale, end_0, end_1, adapted });
    vec![
        case(&k::ACCUMULATE, layout!(Accumulate { len })),
        case(&k::ADAMW, layout!(AdamW { len, decayed })),
        case(&k::ADAMW_QUADS, layout!(AdamW { len, decayed })),
        case(&k::ADVANCE, layout!(Advance { by })),
        case(&k::ATTENTION_BACKWARD_KV, attention()),
        case(&k::ATTENTION_BACKWARD_Q, attention()),
        case(&k::ATTENTION_FORWARD, attention()),
        case(&k::ATTENTION_TILES_BACKWARD_KV, attention()),
        case(&k::ATTENTION_TILES_BACKWARD_Q, attention()),
        case(&k::ATTENTION_TILES_FORWARD, attention()),
        case(&k::CROSS_ENTROPY_BACKWARD, layout!(CrossEntropy { rows, vocab })),
        case(&k::CROSS_ENTROPY_CHUNK_BACKWARD, layout!(CrossEntropyChunk { rows, width, start })),
        case(&k::CROSS_ENTROPY_CHUNK_FORWARD, layout!(CrossEntropyChunk { rows, width, start })),
        case(&k::CROSS_ENTROPY_FORWARD, layout!(CrossEntropy { rows, vocab })),
        case(&k::DORA_BACKWARD_MAGNITUDE, dora()),
        case(&k::DORA_NORM, dora()),
        case(&k::DORA_SCALE, dora()),
        case(&k::EMBEDDING_BACKWARD, layout!(EmbeddingBackward { rows, width })),
        case(&k::EMBEDDING_FORWARD, layout!(Embedding { rows, width, vocab })),
        case(&k::FILL, layout!(Fill { len })),
        case(&k::FINISH_STEP, layout!(FinishStep { rows, ring })),
        case(&k::KL_BACKWARD, layout!(KlBackward { rows, width, start, strength })),
        case(&k::KV_APPEND, layout!(KvAppend { batch, heads_width, kv_width, kv_time })),
        case(&k::LORA_BACKWARD_OUTPUT, adapter()),
        case(&k::LORA_TILES_BACKWARD_OUTPUT, adapter()),
        case(&k::LORA_TILES_BACKWARD_OUTPUT_QUADS, adapter()),
        case(&k::MATMUL_REGISTER, product()),
        case(&k::MATMUL_SKINNY, product()),
        case(&k::MATMUL_TILED, product()),
        case(&k::NEFTUNE, layout!(Neftune { batch, time, width, alpha })),
        case(&k::PULL, layout!(Pull { len, strength })),
        case(&k::RMSNORM_BACKWARD, rmsnorm()),
        case(&k::RMSNORM_BACKWARD_QUADS, rmsnorm()),
        case(&k::RMSNORM_BACKWARD_WEIGHT, rmsnorm()),
        case(&k::RMSNORM_FORWARD, rmsnorm()),
        case(&k::RMSNORM_FORWARD_QUADS, rmsnorm()),
        case(&k::ROPE, layout!(Rope { batch, time, heads, kv_heads, head_dim, stride, backward })),
        case(&k::ROPE_QUADS, layout!(Rope { batch, time, heads, kv_heads, head_dim, stride, backward })),
        case(&k::SELECT, layout!(Select { batch, kv_time, vocab })),
        case(&k::SHIFT, layout!(Shift { rows, vocab })),
        case(&k::SUM_SQUARES, layout!(SumSquares { len })),
        case(&k::SWIGLU_BACKWARD, layout!(SwiGlu { rows, width })),
        case(&k::SWIGLU_BACKWARD_QUADS, layout!(SwiGlu { rows, width })),
        case(&k::SWIGLU_FORWARD, layout!(SwiGlu { rows, width })),
        case(&k::SWIGLU_FORWARD_QUADS, layout!(SwiGlu { rows, width })),
        case(&k::SWIGLU_LORA_FORWARD, layout!(SwiGluLora { rows, width, rank })),
        case(&k::SWIGLU_LORA_FORWARD_QUADS, layout!(SwiGluLora { rows, width, rank })),
        case(&k::TOP_K, layout!(TopK { rows, vocab, k })),
        case(&k::UNPACK_F16, layout!(UnpackF16 { len })),
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

/// The files of a folder by their stems.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let stem = |path: &std::path::Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    paths.filter(|p| p.is_file()).map(|p| (stem(&p), std::fs::read_to_string(&p).unwrap())).collect()
}

#[test]
fn every_shader_has_a_kernel_and_every_kernel_its_shader() {
    let files = sources(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders"));
    let parts = sources(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/parts"));
    let mut unused: BTreeSet<&str> = files.keys().map(String::as_str).collect();
    for Case { kernel, .. } in cases() {
        let parts: String = kernel.parts.iter().map(|&part| parts[part].as_str()).collect();
        assert!(kernel.source == parts + &files[kernel.name], "{}", kernel.name);
        unused.remove(kernel.name);
    }
    assert!(unused.is_empty(), "no kernel, or no line in this test: {unused:?}");
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
        micro,
        noise
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
