//! What holds for every shader: one [`Kernel`] each, uniforms laid out as the Rust struct, bindings as the
//! dispatch expects them.

use std::collections::{BTreeMap, BTreeSet};

use driftscope::gpu::Kernel;

use crate::common::{Case, Layout};

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
    for Case { kernel, .. } in each!(cases) {
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
    for case in each!(cases) {
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
    for Case { kernel, .. } in each!(cases) {
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
