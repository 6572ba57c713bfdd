//! Sessions and experiments on Atlas, a few steps long.

#[path = "../atlas/mod.rs"]
mod atlas;
mod experiments;
mod sessions;
mod weights;

use std::collections::BTreeMap;

use driftscope::lab::{Answer, Asked, Session};
use driftscope::record::ArmId;
use pollster::block_on;

/// The answers of all models, and what was written before each was whole.
pub fn answered(
    session: &mut Session,
    asked: Asked,
) -> (BTreeMap<ArmId, String>, BTreeMap<ArmId, Vec<String>>) {
    session.ask("What is the capital of Kenya?", asked).unwrap();
    let (mut whole, mut before) = (BTreeMap::new(), BTreeMap::<ArmId, Vec<String>>::new());
    while session.is_asking() {
        if let Some(Answer { arm, tokens }) = block_on(session.answer()).unwrap() {
            whole.insert(arm, tokens.into_iter().map(|token| token.text).collect());
        }
        for (arm, text) in session.so_far().unwrap() {
            before.entry(arm).or_default().push(text);
        }
    }
    (whole, before)
}
