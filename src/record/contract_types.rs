//! TypeScript declarations from JSON schemas, for the forms that this room's types take.

use std::fmt::Write;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

/// Bytes cross the worker's border as a Uint8Array.
pub fn bytes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "bytes" })
}

/// One exported type for each definition.
pub fn declarations(definitions: &Map<String, Value>) -> String {
    let mut out = String::new();
    for (name, schema) in definitions {
        out.push('\n');
        out.push_str(&comment(schema, ""));
        let _ = writeln!(out, "export type {name} = {};", written(schema, ""));
    }
    out
}

fn comment(schema: &Value, indent: &str) -> String {
    let Some(text) = schema["description"].as_str() else { return String::new() };
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    match lines[..] {
        [line] => format!("{indent}/** {line} */\n"),
        _ => {
            let body: String =
                lines.iter().map(|line| format!("{indent} * {line}\n").replace(" \n", "\n")).collect();
            format!("{indent}/**\n{body}{indent} */\n")
        }
    }
}

fn written(schema: &Value, indent: &str) -> String {
    let parts = |key: &str| schema[key].as_array().filter(|parts| !parts.is_empty());
    if let Some(parts) = parts("oneOf").or_else(|| parts("anyOf")) {
        let each: Vec<String> = parts.iter().map(|part| written(part, indent)).collect();
        return each.join(" | ");
    }
    if let Some(constant) = schema.get("const") {
        return constant.to_string();
    }
    if let Some(options) = parts("enum") {
        return options.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    let mut all = Vec::new();
    if let Some(reference) = schema["$ref"].as_str() {
        all.push(reference.rsplit('/').next().unwrap_or_default().to_string());
    }
    if let Some(parts) = parts("allOf") {
        all.extend(parts.iter().map(|part| written(part, indent)));
    }
    if let Some(properties) = schema["properties"].as_object() {
        all.push(object(schema, properties, indent));
    } else if all.is_empty() {
        all.push(plain(schema, indent));
    }
    all.join(" & ")
}

fn object(schema: &Value, properties: &Map<String, Value>, indent: &str) -> String {
    let inner = format!("{indent}  ");
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut out = String::from("{\n");
    for (name, property) in properties {
        let value = written(property, &inner);
        // None is absent in messages and null in JSON.
        let mark = if required.contains(&name.as_str()) && !value.contains("null") { "" } else { "?" };
        let _ = writeln!(out, "{}{inner}{name}{mark}: {value};", comment(property, &inner));
    }
    format!("{out}{indent}}}")
}

fn plain(schema: &Value, indent: &str) -> String {
    let of = |kind: &str| match kind {
        "string" => "string".into(),
        "integer" | "number" => "number".into(),
        "boolean" => "boolean".into(),
        "null" => "null".into(),
        "bytes" => "Uint8Array<ArrayBuffer>".into(),
        "blobs" => "Blob[]".into(),
        "array" => array(schema, indent),
        "object" => match schema.get("additionalProperties") {
            Some(value) if value.is_object() => format!("{{ [key: string]: {} }}", written(value, indent)),
            _ => "Record<string, never>".into(),
        },
        other => panic!("no type {other:?} in {schema}"),
    };
    match &schema["type"] {
        Value::String(kind) => of(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).map(of).collect::<Vec<_>>().join(" | "),
        _ => panic!("no type in {schema}"),
    }
}

fn array(schema: &Value, indent: &str) -> String {
    if let Some(items) = schema["prefixItems"].as_array() {
        let items: Vec<String> = items.iter().map(|item| written(item, indent)).collect();
        return format!("[{}]", items.join(", "));
    }
    let item = written(&schema["items"], indent);
    if item.contains([' ', '|']) { format!("({item})[]") } else { format!("{item}[]") }
}
