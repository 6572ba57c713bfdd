//! What of a run goes into its record, and with how many digits: a record is fetched by everyone who opens the page.

use serde_json::Value;

use crate::record::{Event, Measure, ShiftText, WeightsEvent};

/// Keeps the measures every `every` steps and after the `last` one; of the texts, which are most of a record, the answer to the
/// first question at those steps, and to the others before the first and after the last; of the spectra, those after the last.
pub fn worth_keeping(events: Vec<Event>, every: u32, last: u32) -> Vec<Event> {
    let mut follows_measure = false;
    let mut is_kept = |event: &Event| {
        let was = std::mem::replace(&mut follows_measure, matches!(event, Event::Measure(_)));
        match event {
            Event::Measure(Measure { step, .. }) | Event::Weights(WeightsEvent { step, .. }) => {
                step % every == 0 || *step == last
            }
            Event::Text(ShiftText { step, .. }) => *step == 0 || *step == last || step % every == 0 && was,
            _ => true,
        }
    };
    let mut kept: Vec<Event> = events.into_iter().filter(|event| is_kept(event)).collect();
    for event in &mut kept {
        if let Event::Weights(weights) = event
            && weights.step != last
        {
            weights.matrices.iter_mut().for_each(|matrix| matrix.spectrum = None);
        }
    }
    kept
}

/// Rounds an event, and writes its numbers short.
pub fn shorten(event: &mut Value) {
    round_details(event);
    write_short(event);
}

/// Rounds what a record has thousands of and a page shows with two or three digits: half of its size once compressed. Losses and figures keep
/// six digits, comparisons all.
fn round_details(event: &mut Value) {
    let kind = event["type"].as_str().unwrap_or_default().to_string();
    match kind.as_str() {
        "text" => {
            for token in event["tokens"].as_array_mut().into_iter().flatten() {
                ["kl", "logprob", "base_logprob"]
                    .into_iter()
                    .for_each(|name| round(&mut token[name], decimals));
                for name in ["top", "base_top"] {
                    let pairs = token[name].as_array_mut().into_iter().flatten();
                    pairs.for_each(|pair| round(&mut pair[1], decimals));
                }
            }
        }
        "weights" => {
            let matrices = event["matrices"].as_array_mut().into_iter().flatten();
            matrices.for_each(|matrix| {
                round(&mut matrix["relative"], |x| digits(x, 4));
                let lists = matrix["spectrum"].as_object_mut().into_iter().flatten();
                let values = lists.flat_map(|(_, list)| list.as_array_mut().into_iter().flatten());
                values.for_each(|value| round(value, |x| digits(x, 4)));
            });
        }
        "step" => {
            round(&mut event["loss"], |x| digits(x, 6));
            ["grad_norm", "ms"].into_iter().for_each(|name| round(&mut event[name], |x| digits(x, 4)));
        }
        "measure" => {
            let positions = event["shift"]["positions"].as_array_mut().into_iter().flatten();
            for position in positions.filter_map(Value::as_object_mut) {
                // What no view reads of each position.
                position.retain(|name, _| name == "n" || name == "kl");
                if let Some(kl) = position.get_mut("kl") {
                    round(kl, |x| digits(x, 4));
                }
            }
            round(&mut event["ms"], |x| digits(x, 4));
        }
        "summary" => {
            for row in event["rows"].as_array_mut().into_iter().flatten() {
                for figure in
                    row["figures"].as_object_mut().into_iter().flat_map(|figures| figures.values_mut())
                {
                    ["mean", "sd", "ci"]
                        .into_iter()
                        .for_each(|name| round(&mut figure[name], |x| digits(x, 6)));
                }
            }
            for point in
                event["checkpoints"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut)
            {
                for name in ["heldout_loss", "recall_cloze", "kl", "kl_task", "recall_new"] {
                    if let Some(figure) = point.get_mut(name) {
                        round(figure, |x| digits(x, 6));
                    }
                }
            }
        }
        _ => {}
    }
}

fn round(value: &mut Value, to: impl Fn(f64) -> f64) {
    if let Some(number) = value.as_f64() {
        *value = to(number).into();
    }
}

/// Three decimals.
fn decimals(x: f64) -> f64 {
    (x * 1e3).round() / 1e3
}

/// Rounds to `count` significant digits.
fn digits(x: f64, count: usize) -> f64 {
    format!("{x:.*e}", count - 1).parse().unwrap_or(x)
}

/// Writes numbers that came from an f32 with as few digits as tell which: a third of a record's size.
fn write_short(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(write_short),
        Value::Object(fields) => fields.values_mut().for_each(write_short),
        Value::Number(number) => {
            let Some(long) = number.as_f64().filter(|_| number.is_f64()) else { return };
            let short = long as f32;
            if f64::from(short) == long
                && let Ok(digits) = short.to_string().parse::<f64>()
            {
                *value = digits.into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_are_the_same_ones() {
        let mut value =
            serde_json::json!([f64::from(0.1f32), 7, 0.1, {"a": f64::from(-3.4e-7f32)}, null, "0.1"]);
        write_short(&mut value);
        assert_eq!(value.to_string(), r#"[0.1,7,0.1,{"a":-3.4e-7},null,"0.1"]"#);
    }

    #[test]
    fn an_event_keeps_the_digits_that_a_page_shows() {
        let token = |p: f64| serde_json::json!({ "text": " a", "kl": p, "logprob": -p, "base_logprob": p, "top": [[" a", p]], "base_top": [] });
        let mut event = serde_json::json!({ "type": "text", "tokens": [token(0.123_456)] });
        shorten(&mut event);
        assert_eq!(event["tokens"][0], token(0.123));
        let mut step = serde_json::json!({ "type": "step", "loss": 1.234_567_8, "grad_norm": 0.001_234_56, "ms": 123.456, "lr": 1e-5 });
        shorten(&mut step);
        let position =
            serde_json::json!({ "n": 3, "kl": 0.123_456, "unshifted": 2, "marginal": 1, "shifted": 0 });
        let mut measure =
            serde_json::json!({ "type": "measure", "shift": { "positions": [position] }, "ms": 1.0 });
        shorten(&mut measure);
        assert_eq!(measure["shift"]["positions"][0], serde_json::json!({ "n": 3, "kl": 0.1235 }));
        let row =
            |mean: f64| serde_json::json!({ "figures": { "kl": { "mean": mean, "sd": 0.0, "ci": 0.0 } } });
        let mut summary =
            serde_json::json!({ "type": "summary", "rows": [row(0.123_456_78)], "checkpoints": [] });
        shorten(&mut summary);
        assert_eq!(summary["rows"][0], row(0.123_457));
        assert_eq!(
            step,
            serde_json::json!({ "type": "step", "loss": 1.234_57, "grad_norm": 0.001_235, "ms": 123.5, "lr": 1e-5 })
        );
    }

    #[test]
    fn a_record_keeps_every_so_many_measures_and_the_last() {
        let text = |step| {
            Event::Text(ShiftText {
                run: 1,
                arm: "lora".into(),
                step,
                question: String::new(),
                tokens: Vec::new(),
            })
        };
        let at = |step| [Event::Measure(Measure { step, ..Measure::empty("lora") }), text(step), text(step)];
        let kept = |step| worth_keeping(at(step).into(), 40, 90).len();
        assert_eq!([0, 20, 40, 80, 90].map(kept), [3, 0, 2, 2, 3]);
    }
}
