//! What an arm has come to leaves a session as files and comes back as an arm, and nothing is lost on the way.

use std::collections::BTreeMap;

use driftscope::engine::Backend;
use driftscope::lab::{MOST_OF_A_FILE, Session, Work};
use driftscope::model::{peft, weights};
use driftscope::record::*;
use pollster::block_on;

mod atlas;

use atlas::{all, full, lora, measures, run, session, session_on, short, texts};
use driftscope::gpu::Gpu;
use driftscope::lab::Slice;

/// An arm's files, put together.
fn saved(session: &mut Session, arm: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::<String, Vec<u8>>::new();
    let take = async |file: &str, part: Vec<u8>| {
        assert!(part.len() <= MOST_OF_A_FILE);
        files.entry(file.into()).or_default().extend(part);
    };
    block_on(session.save(arm, take)).unwrap();
    files
}

fn hold(session: &mut Session, name: &str, files: &BTreeMap<String, Vec<u8>>) {
    let model = session.subject.base.config().clone();
    let (config, weights) = (&files[peft::CONFIG_FILE], &files[peft::WEIGHTS_FILE]);
    session.subject.adapters.read(name, config, weights, &model).unwrap();
}

fn from(name: &str, id: &str) -> ArmSpec {
    let spec = LoraSpec { start: name.into(), ..LoraSpec::default() };
    ArmSpec { method: Method::Lora(spec), id: id.into(), label: id.into(), ..lora() }
}

/// What a measure says of the model, without how long it took and whose it is.
fn said(measure: &Measure) -> String {
    let Measure { heldout_loss, shift, cells, logprobs, recall, wrong, .. } = measure;
    serde_json::to_string(&(heldout_loss, shift, cells, logprobs, recall, wrong)).unwrap()
}

fn comes_back_as_it_was(backend: Backend) {
    let mut session = session_on(backend);
    let spec =
        LoraSpec { rank: 3, alpha: 5.0, targets: vec![Target::QProj, Target::UpProj], ..LoraSpec::default() };
    let arm = ArmSpec { method: Method::Lora(spec), lr: 1e-2, ..lora() };
    let (_, events) = run(&mut session, short().with_arms(vec![arm]));
    let trained = measures(&events).last().copied().unwrap().clone();
    assert!(trained.shift.kl > 0.0);
    let files = saved(&mut session, "lora");
    assert_eq!(files.len(), 2);
    hold(&mut session, "mine", &files);
    block_on(session.keep("lora", "kept")).unwrap();
    let settings = Settings { steps: 0, ..short() };
    let arms = vec![from("mine", "mine"), lora(), from("kept", "kept")];
    let (info, events) = run(&mut session, settings.with_arms(arms));
    assert!(matches!(events.last(), Some(Event::Done { .. })));
    let Method::Lora(shape) = &info.settings.arms[0].method else { unreachable!() };
    assert_eq!((shape.rank, shape.alpha, shape.targets.len()), (3, 5.0, 2), "the record says what it was");
    let of = |arm: &str| measures(&events).into_iter().find(|m| m.arm == arm).unwrap().clone();
    assert_eq!(said(&of("mine")), said(&trained));
    assert_eq!(said(&of("kept")), said(&trained));
    assert_eq!(of("mine").step, 0);
    assert_eq!(said(&of("lora")), said(&of(BASE)), "a fresh arm is the base");
    assert_eq!(of("lora").shift.kl, 0.0);
    // It trains on from there.
    let (_, events) = run(&mut session, short().with_arms(vec![from("mine", "mine")]));
    let steps: Vec<u32> = measures(&events).iter().filter(|m| m.arm == "mine").map(|m| m.step).collect();
    assert_eq!(steps, [0, 2]);
}

#[test]
fn a_saved_adapter_is_an_arm_again_on_the_cpu() {
    comes_back_as_it_was(Backend::Cpu);
}

#[test]
fn a_saved_adapter_is_an_arm_again_on_the_gpu() {
    comes_back_as_it_was(Backend::Gpu(std::rc::Rc::new(block_on(Gpu::new()).unwrap())));
}

#[test]
fn a_given_arm_is_measured_before_its_first_step() {
    let mut session = session();
    run(&mut session, short());
    let files = saved(&mut session, "lora");
    hold(&mut session, "mine", &files);
    block_on(session.start(short().with_arms(vec![full(), from("mine", "mine")]), &texts())).unwrap();
    assert_eq!(session.next(Slice::WHOLE), Some(Work::MeasureStart));
    block_on(session.advance(Slice::WHOLE)).unwrap();
    assert_eq!(session.next(Slice::WHOLE), Some(Work::Measure { arm: 1 }));
    block_on(session.advance(Slice::WHOLE)).unwrap();
    assert!(matches!(session.next(Slice::WHOLE), Some(Work::Train { .. })));
    assert!(!all(&mut session, Slice::WHOLE).is_empty());
    let error = block_on(session.start(short().with_arms(vec![from("none", "none")]), &texts())).unwrap_err();
    assert!(error.to_string().contains("none") && error.to_string().contains("mine"), "{error}");
    assert!(session.is_finished(), "the run before stays");
}

/// The folder of a fully tuned arm, read again.
#[test]
fn a_saved_model_is_a_folder_of_its_own() {
    let mut session = session();
    run(&mut session, short().with_arms(vec![full()]));
    let files = saved(&mut session, "full");
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
    let tensors = weights::read(&files["model.safetensors"], "model.safetensors").unwrap();
    let json: serde_json::Value = serde_json::from_slice(&files["config.json"]).unwrap();
    assert_eq!(json["torch_dtype"], "float32");
    assert_eq!(tensors["model.norm.weight"].shape, [session.subject.base.config().hidden_size]);
    assert!(block_on(session.keep("full", "mine")).unwrap_err().to_string().contains("no adapter"));
}
