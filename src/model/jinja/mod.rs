//! Jinja as transformers renders chat templates, where minijinja differs: Python's way to print values and format
//! strings, `tojson` without HTML escapes, the statement `generation`, and more methods of strings.

mod python;
mod source;

use std::fmt::Write;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value};
use minijinja_contrib::pycompat;

use self::python::{Style, json, repr, text};
use self::source::next;
pub use self::source::prepare;

/// An environment with what transformers puts into its own. `source` decides about `strftime_now`: a template that asks
/// whether it is there finds it missing and writes its fixed date, so that runs repeat; one that does not ask gets
/// today's date (UTC).
pub fn environment(source: &str) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_formatter(print);
    environment.set_unknown_method_callback(method);
    environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    if !source.contains("strftime_now is ") {
        environment.add_function("strftime_now", strftime_now);
    }
    environment.add_function(PERCENT, percent);
    environment.add_filter("tojson", to_json);
    environment.add_filter("string", |value: Value| text(&value));
    environment.add_filter("round", round);
    environment.add_filter("join", |list: Value, between: Option<String>| -> Result<String, Error> {
        let items: Vec<String> = list.try_iter()?.map(|item| text(&item)).collect();
        Ok(items.join(&between.unwrap_or_default()))
    });
    environment
}

/// The function that stands for `'…' % values`.
const PERCENT: &str = "__percent";

/// The most digits, spaces or letters that a template may ask for at once: more would end the program, not the template.
const WIDEST: usize = 1000;

/// A size that a template asks for.
fn within(size: usize) -> Result<usize, Error> {
    let wide = || Error::new(ErrorKind::InvalidOperation, format!("{size} is wider than {WIDEST}"));
    (size <= WIDEST).then_some(size).ok_or_else(wide)
}

/// Python's `format % values` for %s, %r, %d, %i, %f and %%.
fn percent(format: String, values: Value) -> Result<String, Error> {
    let wrong = |message: &str| Error::new(ErrorKind::InvalidOperation, format!("{format:?} % …: {message}"));
    let mut values: Vec<Value> = match values.kind() {
        ValueKind::Seq => values.try_iter()?.collect(),
        _ => vec![values],
    };
    values.reverse();
    let mut out = String::new();
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let mut options = String::new();
        while let Some(option) = letters.next_if(|c| c.is_ascii_digit() || *c == '.') {
            options.push(option);
        }
        let kind = letters.next().ok_or_else(|| wrong("it ends in %"))?;
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = values.pop().ok_or_else(|| wrong("there are too few values"))?;
        let number = || f64::try_from(value.clone()).map_err(|_| wrong("a value is no number"));
        match (kind, options.strip_prefix('.').map(str::parse::<usize>)) {
            ('s', None) => out.push_str(&text(&value)),
            ('r', None) => out.push_str(&repr(&value)),
            ('d' | 'i', None) if options.is_empty() => out.push_str(&format!("{}", number()?.trunc())),
            ('f', Some(Ok(digits))) => {
                let digits = within(digits)?;
                out.push_str(&format!("{:.digits$}", number()?));
            }
            ('f', None) => out.push_str(&format!("{:.6}", number()?)),
            _ => return Err(wrong(&format!("%{options}{kind} is not known here"))),
        }
    }
    match values.is_empty() {
        true => Ok(out),
        false => Err(wrong("there are too many values")),
    }
}

/// What `{{ value }}` writes.
fn print(out: &mut Output, _: &State, value: &Value) -> Result<(), Error> {
    out.write_str(&text(value)).map_err(Error::from)
}

/// `json.dumps(value, ensure_ascii=False)`, with `indent` and `sort_keys`.
fn to_json(value: Value, options: Kwargs) -> Result<Value, Error> {
    let indent = options.get::<Option<usize>>("indent")?.map(within).transpose()?;
    let sorted: Option<bool> = options.get("sort_keys")?;
    let ascii: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut out = String::new();
    json(&mut out, &value, &Style { indent, sorted: sorted == Some(true) }, 0);
    if ascii == Some(true) {
        let escape = |c: char| match c.is_ascii() {
            true => c.to_string(),
            false => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        };
        out = out.chars().map(escape).collect();
    }
    Ok(Value::from(out))
}

/// Python's `round`: to even, of the number as it is.
fn round(value: Value, digits: Option<usize>, method: Option<String>) -> Result<Value, Error> {
    let number = f64::try_from(value)?;
    let digits = within(digits.unwrap_or(0))?;
    let shift = 10f64.powi(digits as i32);
    let rounded = match method.as_deref() {
        None | Some("common") => format!("{number:.digits$}").parse().unwrap_or(number),
        Some("ceil") => (number * shift).ceil() / shift,
        Some("floor") => (number * shift).floor() / shift,
        Some(other) => return Err(Error::new(ErrorKind::InvalidOperation, format!("round by {other:?}"))),
    };
    Ok(Value::from(rounded))
}

fn strftime_now(format: String) -> Result<String, Error> {
    let since = web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH).unwrap_or_default();
    let now = chrono::DateTime::from_timestamp(since.as_secs() as i64, 0).unwrap_or_default();
    let mut out = String::new();
    let written = write!(out, "{}", now.format(&format));
    written
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, format!("strftime_now knows no {format:?}")))?;
    Ok(out)
}

/// Methods of Python's strings and dicts; those that minijinja's own compatibility lacks are here.
fn method(state: &State, value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let Some(text) = value.as_str() else {
        return pycompat::unknown_method_callback(state, value, name, arguments);
    };
    let argument = |i: usize| arguments.get(i).and_then(|a| a.as_str());
    let size = || arguments.first().and_then(|a| usize::try_from(a.clone()).ok()).unwrap_or(0);
    let fill = || argument(1).and_then(|fill| fill.chars().next()).unwrap_or(' ');
    let missing = || within(size().saturating_sub(text.chars().count()));
    let padding = |letter: char, n: usize| letter.to_string().repeat(n);
    let triple = |(a, b, c): (&str, &str, &str)| list(&[a, b, c]);
    Ok(match (name, argument(0)) {
        ("removeprefix", Some(prefix)) => text.strip_prefix(prefix).unwrap_or(text).into(),
        ("removesuffix", Some(suffix)) => text.strip_suffix(suffix).unwrap_or(text).into(),
        ("partition", Some(by)) if !by.is_empty() => {
            triple(text.split_once(by).map_or((text, "", ""), |(a, b)| (a, by, b)))
        }
        ("rpartition", Some(by)) if !by.is_empty() => {
            triple(text.rsplit_once(by).map_or(("", "", text), |(a, b)| (a, by, b)))
        }
        ("rsplit", by) => {
            let most = arguments
                .get(1)
                .and_then(|n| usize::try_from(n.clone()).ok())
                .map_or(usize::MAX, |n| n.saturating_add(1));
            let mut parts: Vec<&str> = match by {
                Some(by) if !by.is_empty() => text.rsplitn(most, by).collect(),
                _ => rsplit_whitespace(text, most),
            };
            parts.reverse();
            list(&parts)
        }
        ("zfill", _) => {
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            format!("{sign}{}{digits}", padding('0', missing()?)).into()
        }
        ("ljust", _) => format!("{text}{}", padding(fill(), missing()?)).into(),
        ("rjust", _) => format!("{}{text}", padding(fill(), missing()?)).into(),
        ("casefold", _) => text.to_lowercase().into(),
        ("swapcase", _) => {
            let swap = |c: char| match c.is_uppercase() {
                true => c.to_lowercase().collect::<String>(),
                false => c.to_uppercase().collect(),
            };
            text.chars().map(swap).collect::<String>().into()
        }
        _ => return pycompat::unknown_method_callback(state, value, name, arguments),
    })
}

fn list(parts: &[&str]) -> Value {
    parts.iter().map(|part| Value::from(*part)).collect()
}

/// At most `most` parts from the right, the last of which is what is left.
fn rsplit_whitespace(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        let cut = rest.rfind(char::is_whitespace).filter(|_| parts.len() + 1 < most);
        let Some(at) = cut else {
            parts.push(rest.trim_start());
            break;
        };
        let start = at + next(rest, at);
        parts.push(&rest[start..]);
        rest = rest[..at].trim_end();
    }
    parts
}
