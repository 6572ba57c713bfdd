//! Values as Python prints them: `str`, `repr` and `json.dumps`.

use minijinja::Value;
use minijinja::value::ValueKind;

/// Python's `str`.
pub fn text(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::String => value.to_string(),
        _ => repr(value),
    }
}

/// Python's `repr`.
pub fn repr(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "None".into(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.into(),
        ValueKind::Number => number(value),
        ValueKind::String => {
            let text = value.to_string();
            let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
            let mut out = String::from(quote);
            for letter in text.chars() {
                match letter {
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    '\\' => out.push_str("\\\\"),
                    _ if letter == quote => out.extend(['\\', letter]),
                    _ => out.push(letter),
                }
            }
            out.push(quote);
            out
        }
        ValueKind::Map => {
            let pairs = keys(value).map(|key| {
                let entry = value.get_item(&key).unwrap_or_default();
                format!("{}: {}", repr(&key), repr(&entry))
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<String> = keys(value).map(|item| repr(&item)).collect();
            format!("[{}]", items.join(", "))
        }
        _ => value.to_string(),
    }
}

/// A map's keys or a list's items.
fn keys(value: &Value) -> impl Iterator<Item = Value> {
    value.try_iter().into_iter().flatten()
}

/// As Python writes it: a float has a point or an exponent.
pub fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    let Ok(float) = f64::try_from(value.clone()) else { return value.to_string() };
    let size = float.abs();
    if float != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(("+", exponent), |rest| ("-", rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{float:?}")
}

/// How `json.dumps` is asked to write.
pub struct Style {
    /// Spaces for each level; none for a single line.
    pub indent: Option<usize>,
    /// Whether keys are in order.
    pub sorted: bool,
}

/// `value` at the end of `out`, as `json.dumps(value, ensure_ascii=False)` writes it.
pub fn json(out: &mut String, value: &Value, style: &Style, depth: usize) {
    let line = |out: &mut String, depth: usize| {
        if let Some(width) = style.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', width * depth));
        }
    };
    let between = if style.indent.is_some() { "," } else { ", " };
    let is_map = value.kind() == ValueKind::Map;
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => {
            let mut items: Vec<Value> = keys(value).collect();
            if is_map && style.sorted {
                items.sort_by_key(Value::to_string);
            }
            let (open, close) = if is_map { ('{', '}') } else { ('[', ']') };
            out.push(open);
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(between);
                }
                line(out, depth + 1);
                if is_map {
                    quoted(out, &text(item));
                    out.push_str(": ");
                    json(out, &value.get_item(item).unwrap_or_default(), style, depth + 1);
                } else {
                    json(out, item, style, depth + 1);
                }
            }
            if !items.is_empty() {
                line(out, depth);
            }
            out.push(close);
        }
        _ => quoted(out, &value.to_string()),
    }
}

fn quoted(out: &mut String, text: &str) {
    // A text is always JSON.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
