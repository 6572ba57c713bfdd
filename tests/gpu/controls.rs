//! Negative controls: a kernel with a mistake in it must fail the comparison with its CPU twin.
//! `scripts/negative-controls` shows the table and writes it to docs/negative-controls.md.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use driftscope::gpu::{Gpu, Kernel};

use crate::common::{Mistake, gpu};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/negative-controls.md");

const HEAD: &str = "\
# Negative controls

Would the tests notice a wrong kernel? Each line replaces a piece of a shader by a wrong one and runs the comparison with
the kernel's CPU twin, which must then fail in the output named last. A mistake that passed would fail the tests.
Written by `scripts/negative-controls --write`; a test keeps it equal to `tests/gpu/controls.rs`.

| Kernel | Right | Wrong | Noticed by | In |
|---|---|---|---|---|
";

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

/// A kernel's name, with the parts that come before it.
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
    for mistake in each!(mistakes) {
        let message = notice(&gpu, &mistake);
        let Mistake { kernel, right, wrong, test, .. } = mistake;
        println!("control: {} | {right} -> {wrong} | {test}: {message}", full_name(kernel));
        let output = message.split(['[', ',', ':']).next().unwrap_or_default();
        let cells = [full_name(kernel), code(right), code(wrong), code(&test), output.into()];
        document += &format!("| {} |\n", cells.join(" | "));
    }
    if std::env::var_os("WRITE_CONTROLS").is_some() {
        std::fs::write(DOCUMENT, &document).unwrap();
    }
    // Where other hardware rounds otherwise, other outputs may be named.
    if !gpu.name().contains("llvmpipe") {
        return;
    }
    let written = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    assert!(written == document, "docs/negative-controls.md is old: run scripts/negative-controls --write");
}

#[test]
fn every_kernel_has_a_mistake() {
    let have: BTreeSet<String> = each!(mistakes).map(|m| full_name(m.kernel)).collect();
    let want: BTreeSet<String> = each!(cases).map(|case| full_name(case.kernel)).collect();
    assert_eq!(have, want);
}
