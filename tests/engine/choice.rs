use crate::common::{configs, load};
use driftscope::engine::{Backend, Found, choose};
use pollster::block_on;

/// Where the only adapter is a program on the CPU (lavapipe), the reason has the figures of both engines.
#[test]
fn the_choice_works_and_is_explained() {
    let mut found = Found::default();
    let choice = block_on(choose(&mut found));
    let (_, config) = configs().remove(0);
    assert_eq!(
        block_on(load(&choice.backend, &config).logits(&[1, 2, 3])).unwrap().len(),
        3 * config.vocab_size
    );
    let software = match crate::common::gpu() {
        Backend::Gpu(gpu) => gpu.is_software(),
        Backend::Cpu => false,
    };
    let words: Vec<&str> = choice.reason.english.split_whitespace().collect();
    let figure = |pair: &[&str]| pair[1].starts_with("GFLOP/s").then(|| pair[0].parse::<f64>().unwrap());
    let figures: Vec<f64> = words.windows(2).filter_map(figure).collect();
    if !software {
        assert!(matches!(choice.backend, Backend::Gpu(_)), "{}", choice.reason.english);
        return;
    }
    let [adapter, cpu] = figures[..] else { panic!("two figures: {}", choice.reason.english) };
    assert!(adapter > 0.0 && cpu > 0.0, "{}", choice.reason.english);
    assert_eq!(matches!(choice.backend, Backend::Gpu(_)), adapter > cpu, "{}", choice.reason.english);

    // What was found is remembered, and nothing is tried again.
    let again = block_on(choose(&mut Found::parse(&found.json())));
    assert_eq!((choice.is_tried, again.is_tried), (true, false));
    assert_eq!(again.reason.english.replace("an earlier trial", "a trial"), choice.reason.english);
}
