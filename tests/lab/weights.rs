//! What an arm has done to the weights: doses of it, and its intruder dimensions.

use driftscope::lab::{Asked, Dose, Session, Slice};
use driftscope::record::*;
use pollster::block_on;

use crate::answered;
use crate::atlas::{all, full, lora, measures, run, session, short, texts};

/// None of the change is the base, all of it the arm, and LoRA's change has no more directions than its rank.
#[test]
fn strength_goes_from_the_base_to_the_arm() {
    let mut session = session();
    let spec = LoraSpec { rank: 4, ..LoraSpec::default() };
    let arm = ArmSpec { method: Method::Lora(spec), lr: 1e-2, ..lora() };
    let settings = Settings { steps: 6, measure_every: 6, ..short() };
    let (_, events) = run(&mut session, settings.with_arms(vec![arm]));
    let last = measures(&events)[1];
    let at = |session: &mut Session, strength| dosed(session, "lora", Dose { strength, ..Dose::WHOLE });
    let asked = Asked { max_tokens: 12, sampling: Sampling::default() };
    let answer = |session: &mut Session, arm: &str| answered(session, asked).0.remove(arm).unwrap();
    let (base, tuned) = (answer(&mut session, BASE), answer(&mut session, "lora"));
    assert_ne!(base, tuned);
    let none = at(&mut session, 0.0);
    assert_eq!((none.kl, none.unshifted), (0.0, 1.0));
    assert_eq!(answer(&mut session, "lora"), base);
    let half = at(&mut session, 0.5);
    assert!(half.kl > 0.0 && half.kl < last.shift.kl, "{half:?}");
    let whole = at(&mut session, 1.0);
    assert_eq!((whole.kl, whole.heldout_loss), (last.shift.kl, last.heldout_loss));
    assert_eq!(whole.measure.unwrap().cells, last.cells);
    assert_eq!(answer(&mut session, "lora"), tuned);
    for dose in [Dose { strength: f32::NAN, ..Dose::WHOLE }, Dose { intruders: 1.1, ..Dose::WHOLE }] {
        assert!(block_on(session.dose("lora", dose)).is_err());
    }
    assert!(block_on(session.dose("full", Dose::WHOLE)).is_err());
    for m in &weights(&events, "lora").matrices {
        assert!(m.relative > 0.0 && (1..=4).contains(&m.rank90) && m.of >= 96, "{m:?}");
    }
}

fn dosed(session: &mut Session, arm: &str, dose: Dose) -> Strength {
    match block_on(session.dose(arm, dose)).unwrap().as_slice() {
        [Event::Strength(s)] => s.clone(),
        other => panic!("{other:?}"),
    }
}

fn weights<'a>(events: &'a [Event], arm: &str) -> &'a WeightsEvent {
    let of = |event: &'a Event| if let Event::Weights(w) = event { Some(w) } else { None };
    events.iter().filter_map(of).rfind(|weights| weights.arm == arm).unwrap()
}

/// A strong rate leaves both arms with intruder dimensions. All of them left is the arm to the last bit, none of them another
/// model, in which they are gone; a look in slices finds what the measure found.
#[test]
fn intruders_are_counted_and_scaled_down() {
    let mut session = session();
    let arms = [lora(), full()].map(|arm| ArmSpec { lr: 2e-2, ..arm }).to_vec();
    let settings = Settings { steps: 6, measure_every: 6, ..short() }.with_arms(arms);
    let (_, events) = run(&mut session, settings);
    for arm in ["lora", "full"] {
        let measured = *measures(&events).iter().rfind(|m| m.arm == arm).unwrap();
        let found = weights(&events, arm);
        assert_eq!(found.matrices.len(), 4 * 7);
        let count: u32 = found.matrices.iter().map(|m| m.intruders.unwrap()).sum();
        assert!(count > 0, "{arm}: none");
        assert_eq!(measured.intruders, Some(count as f32 / 28.0));
        for m in &found.matrices {
            let spectrum = m.spectrum.as_ref().unwrap();
            assert!(spectrum.tuned.is_sorted_by(|a, b| a >= b) && spectrum.tuned.len() == 10, "{m:?}");
            let new = spectrum.nearest.iter().filter(|cosine| **cosine < 0.5).count();
            assert_eq!(m.intruders, Some(new as u32));
        }

        session.look(arm).unwrap();
        let mut looked = None;
        for turn in 0.. {
            assert!(turn < 28 && looked.is_none());
            looked = block_on(session.go_on_looking()).unwrap();
            if session.looked().is_none() {
                break;
            }
        }
        let Some(Event::Weights(again)) = looked else { panic!("{arm}: {looked:?}") };
        assert_eq!(&again.matrices, &found.matrices);

        let at = |session: &mut Session, intruders| dosed(session, arm, Dose { intruders, ..Dose::WHOLE });
        let none = at(&mut session, 0.0);
        assert!(none.heldout_loss != measured.heldout_loss && none.kl != measured.shift.kl, "{none:?}");
        let most = at(&mut session, 0.999_999);
        assert!((most.heldout_loss - measured.heldout_loss).abs() < 1e-3, "{most:?}");
        let whole = at(&mut session, 1.0);
        assert_eq!((whole.heldout_loss, whole.kl), (measured.heldout_loss, measured.shift.kl));
        assert_eq!(whole.measure.unwrap().logprobs, measured.logprobs);
        // Both numbers at once; of nothing of the change nothing is left to scale.
        let base = dosed(&mut session, arm, Dose { strength: 0.0, intruders: 0.5 });
        assert_eq!((base.kl, base.unshifted), (0.0, 1.0));
        let both = dosed(&mut session, arm, Dose { strength: 0.5, intruders: 0.5 });
        assert!(both.kl > 0.0 && both.kl != none.kl && both.heldout_loss != whole.heldout_loss);
    }
}

/// What was looked at is the arm's until its next step, and an arm that has not changed has no intruders.
#[test]
fn a_step_ends_a_look() {
    let mut session = session();
    block_on(session.start(short().with_arms(vec![lora()]), &texts())).unwrap();
    assert_eq!(session.looked(), None);
    session.look("lora").unwrap();
    assert_eq!(session.looked(), Some((0, 28)));
    block_on(session.go_on_looking()).unwrap();
    assert!(session.looked().is_some_and(|(done, _)| done > 0));
    block_on(session.advance(Slice { steps: 1, ..Slice::WHOLE })).unwrap();
    assert_eq!(session.looked(), None);
    assert!(block_on(session.go_on_looking()).unwrap().is_none());
    session.look("lora").unwrap();
    session.stop_looking();
    assert_eq!(session.looked(), None);
    assert!(session.look("other").is_err());
    let events = all(&mut session, Slice::NO_STEP);
    assert_eq!(measures(&events)[0].intruders, Some(0.0));
}
