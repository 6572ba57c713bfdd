//! Linear layers one at a time, and what measure/spectrum.rs finds in them against numpy and PEFT (tests/parity/spectra.py).

use std::fs;
use std::path::Path;
use std::rc::Rc;

use driftscope::engine::{Backend, Model, Tuning};
use driftscope::measure::spectrum::Svd;
use driftscope::measure::weights::{linears, look};
use driftscope::model::config::LlamaConfig;
use driftscope::model::lora::AdapterStart;
use driftscope::model::peft;
use driftscope::model::weights::{self, Array, Precision};
use driftscope::record::Target;
use driftscope::train::Optimizer;
use pollster::block_on;

use crate::common::{back_ends, batch, configs, dora, gpu, load_as, lora};

/// As in tests/parity/spectra.py.
const STRONGER: f32 = 2.0;
const SHARE: f64 = 0.7;

#[test]
fn a_linear_is_one_of_the_weights() {
    for backend in back_ends() {
        for (name, config) in configs() {
            for precision in [Precision::F32, Precision::F16] {
                if precision == Precision::F16 && config.hidden_size % 2 == 1 {
                    continue;
                }
                let base = load_as(&backend, &config, precision);
                check_linears(name, &base);
                for tuning in [Tuning::Full, lora(4, &[Target::QProj, Target::UpProj]), dora(3)] {
                    let mut arm = base.tune(&tuning, Optimizer::default()).unwrap();
                    arm.train_step(&batch(&config, 3, 17, 1), 1e-2).unwrap();
                    block_on(arm.take_metrics()).unwrap();
                    check_linears(&format!("{name}, {tuning:?}"), &arm);
                }
            }
        }
    }
}

fn check_linears(what: &str, model: &Model) {
    let whole = block_on(model.weights()).unwrap();
    for name in linears(model.config()) {
        let got = block_on(model.linear(&name)).unwrap();
        assert!(got == whole[&format!("{name}.weight")], "{what}: {name}");
    }
    assert!(block_on(model.linear("model.norm.weight")).is_err());
}

#[test]
fn spectra_and_intruders_are_those_of_numpy_and_peft() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parity/gqa-8-1"));
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let config = LlamaConfig::from_json(&read("config.json")).unwrap();
    let want = weights::read(&read("spectra.safetensors"), "spectra").unwrap();
    let adapter = folder.join("adapter-lora");
    let [settings, tensors] =
        [peft::CONFIG_FILE, peft::WEIGHTS_FILE].map(|name| fs::read(adapter.join(name)).unwrap());
    let adapter = peft::read(&settings, &tensors, &config).unwrap();
    for backend in [gpu(), Backend::Cpu] {
        let base =
            backend.load(&config, weights::read(&read("model.safetensors"), "model").unwrap()).unwrap();
        let start = AdapterStart::Tensors(Rc::new(adapter.tensors.clone()));
        let tuning = Tuning::Lora { lora: adapter.lora.clone(), start };
        let arm = base.tune(&tuning, Optimizer::default()).unwrap();
        let tuned = arm.scaled(STRONGER).unwrap().unwrap();
        for name in linears(&config) {
            let [base, tuned] = [&base, &tuned].map(|model| block_on(model.linear(&name)).unwrap());
            let want = |key: &str| &want[&format!("{name}.{key}")].data;
            compare(&name, &base, tuned, want);
        }
    }
}

/// Both sides are exact but for rounding: numpy's in f64 throughout; here the tuned weight was rounded to f32, a part in 2^24 of
/// each value and as much for each of the few sums behind it. That moves singular values by at most the norm of what was rounded
/// (Weyl), and singular vectors by that over the distance to the next value (Wedin).
fn compare<'a>(name: &str, base: &Array, mut tuned: Array, want: impl Fn(&str) -> &'a Vec<f32>) {
    let (change, intruders) = look(name, base, &Svd::of(base, usize::MAX), &tuned);
    let (found, intruders) = (change.spectrum.unwrap(), intruders.unwrap());
    let norm = tuned.data.iter().map(|v| v * v).sum::<f32>().sqrt();
    let rounded = 4.0 * f32::EPSILON * norm;
    let close = |what: &str, got: &[f32], want: &[f32], tolerance: &dyn Fn(usize) -> f32| {
        assert_eq!(got.len(), want.len(), "{name}: {what}");
        for (i, (g, w)) in got.iter().zip(want).enumerate() {
            assert!((g - w).abs() <= tolerance(i), "{name}: {what} {i}: {g}, not {w}");
        }
    };
    close("values of W0", &found.base, want("base"), &|_| rounded);
    close("values of W", &found.tuned, want("tuned"), &|_| rounded);
    // Of the last vector the next value is not in the list.
    let all = Svd::of(&tuned, 0).values;
    let gap = |i: usize| {
        let next = all.get(i + 1).map_or(f64::MAX, |next| all[i] - next);
        let last = if i > 0 { all[i - 1] - all[i] } else { f64::MAX };
        next.min(last) as f32
    };
    close("nearest", &found.nearest, want("nearest"), &|i| f32::EPSILON + rounded / gap(i));
    assert_eq!(change.rank90 as f32, want("rank90")[0], "{name}");
    assert_eq!(change.intruders.unwrap() as f32, want("intruders")[0], "{name}");
    intruders.scale(&mut tuned, SHARE);
    let smallest = (0..found.tuned.len()).map(gap).fold(f32::MAX, f32::min);
    close("scaled", &tuned.data, want("scaled"), &|_| rounded + rounded * found.tuned[0] / smallest);
}
