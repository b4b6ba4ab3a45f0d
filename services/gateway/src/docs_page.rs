//! Pages for people, made from the document: no script, nothing loaded from elsewhere.

use std::fmt::Write as _;
use std::sync::OnceLock;

use serde_json::Value;

use crate::html::Text;
use crate::pages::openapi_json;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}\
code,pre{font:14px/1.5 ui-monospace,monospace}h2{margin-top:2.5rem;border-bottom:1px solid #d0d7de}\
details{border:1px solid #d0d7de;border-radius:6px;margin:.4rem 0;padding:.4rem .8rem}summary{cursor:pointer}\
.m{display:inline-block;min-width:4.2rem;font-weight:700}.GET{color:#0550ae}.POST{color:#116329}.PUT,.PATCH{color:#9a6700}\
.DELETE{color:#a40e26}table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #eaeef2;padding:.25rem .5rem;\
text-align:left;vertical-align:top}a{color:#0550ae}";

/// The reference of all routes and shapes.
pub fn reference() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| render(&serde_json::from_str(openapi_json()).unwrap_or_default()))
}

/// The catalogue of reasons: `docs/errors.md` as a page, each reason with its anchor.
pub fn errors() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let mut body = String::new();
        let mut in_table = false;
        for line in include_str!("../../../docs/errors.md").lines() {
            let row = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
            if row.is_none() && std::mem::take(&mut in_table) {
                body.push_str("</table>");
            }
            if let Some(row) = row {
                if !std::mem::replace(&mut in_table, true) {
                    body.push_str("<table>");
                }
                if row.chars().all(|character| matches!(character, '-' | '|' | ' ' | ':')) {
                    continue;
                }
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                let anchor = cells.first().map_or("", |cell| cell.trim_matches('`'));
                let _ = write!(body, "<tr id=\"{}\">", escape(anchor));
                for cell in cells {
                    let _ = write!(body, "<td>{}</td>", inline(cell));
                }
                body.push_str("</tr>");
            } else if let Some(title) = line.strip_prefix("# ") {
                let _ = write!(body, "<h1>{}</h1>", inline(title));
            } else if let Some(title) = line.strip_prefix("## ") {
                let _ = write!(body, "<h2>{}</h2>", inline(title));
            } else if let Some(item) = line.strip_prefix("- ") {
                let _ = write!(body, "<p>• {}</p>", inline(item));
            } else if !line.is_empty() {
                let _ = write!(body, "<p>{}</p>", inline(line));
            }
        }
        if in_table {
            body.push_str("</table>");
        }
        page("Callboard: errors", &body)
    })
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body>{body}</body></html>"
    )
}

fn escape(text: &str) -> String {
    Text(text).to_string()
}

/// Escapes, and renders `code` and **bold**.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for (index, piece) in escape(text).split('`').enumerate() {
        if index % 2 == 1 {
            let _ = write!(out, "<code>{piece}</code>");
            continue;
        }
        for (index, piece) in piece.split("**").enumerate() {
            let _ = if index % 2 == 1 { write!(out, "<b>{piece}</b>") } else { write!(out, "{piece}") };
        }
    }
    out
}

fn render(document: &Value) -> String {
    let mut body = String::new();
    let _ = write!(
        body,
        "<h1>Callboard API</h1><p><a href=\"/openapi.json\">openapi.json</a> · <a href=\"/docs/errors\">errors</a></p>"
    );
    for paragraph in document["info"]["description"].as_str().unwrap_or_default().lines() {
        let paragraph = paragraph.strip_prefix("- ").unwrap_or(paragraph);
        if !paragraph.is_empty() {
            let _ = write!(body, "<p>{}</p>", inline(paragraph));
        }
    }
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = tag["name"].as_str().unwrap_or_default();
        let about = tag["description"].as_str().unwrap_or_default();
        let _ = write!(body, "<h2 id=\"{0}\">{0}</h2><p>{1}</p>", escape(name), inline(about));
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                if operation["tags"][0] == name {
                    operation_entry(&mut body, path, &method.to_uppercase(), operation);
                }
            }
        }
    }
    body.push_str("<h2 id=\"shapes\">Shapes</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let _ = write!(body, "<details id=\"shape-{0}\"><summary><code>{0}</code> ", escape(name));
        let _ =
            write!(body, "{}</summary><table>", inline(schema["description"].as_str().unwrap_or_default()));
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            let about = inline(property["description"].as_str().unwrap_or_default());
            let _ = write!(
                body,
                "<tr><td><code>{}</code></td><td>{}</td><td>{about}</td></tr>",
                escape(field),
                kind(property)
            );
        }
        for variant in schema["oneOf"]
            .as_array()
            .into_iter()
            .flatten()
            .chain(schema["enum"].as_array().into_iter().flatten())
        {
            let word = variant["enum"][0].as_str().or(variant.as_str()).unwrap_or_default();
            let about = inline(variant["description"].as_str().unwrap_or_default());
            let _ = write!(body, "<tr><td><code>{}</code></td><td>{about}</td></tr>", escape(word));
        }
        body.push_str("</table></details>");
    }
    page("Callboard API", &body)
}

fn operation_entry(body: &mut String, path: &str, method: &str, operation: &Value) {
    let summary = inline(operation["summary"].as_str().unwrap_or_default());
    let _ = write!(
        body,
        "<details><summary><span class=\"m {method}\">{method}</span> <code>{}</code> {summary}</summary><table>",
        escape(path)
    );
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let _ = write!(
            body,
            "<tr><td><code>{}</code></td><td>{}</td><td>{} {}</td></tr>",
            escape(parameter["name"].as_str().unwrap_or_default()),
            parameter["in"].as_str().unwrap_or_default(),
            kind(&parameter["schema"]),
            inline(parameter["description"].as_str().unwrap_or_default()),
        );
    }
    let shape = |content: &Value| {
        let schema =
            content.as_object().and_then(|types| types.values().next()).map(|media| &media["schema"]);
        schema.map(kind).unwrap_or_default()
    };
    if let Some(content) = operation["requestBody"].get("content") {
        let _ = write!(body, "<tr><td>body</td><td></td><td>{}</td></tr>", shape(content));
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let _ =
            write!(body, "<tr><td>{status}</td><td>answer</td><td>{}</td></tr>", shape(&response["content"]));
    }
    body.push_str("</table></details>");
}

/// The type of a schema, linked where it is a shape.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    if let Some(options) = schema["oneOf"].as_array() {
        return options
            .iter()
            .filter(|option| option["type"] != "null")
            .map(kind)
            .collect::<Vec<_>>()
            .join(" or ");
    }
    let types = match &schema["type"] {
        Value::Array(types) => types
            .iter()
            .filter_map(Value::as_str)
            .filter(|kind| *kind != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    if types == "array" {
        return format!("list of {}", kind(&schema["items"]));
    }
    escape(schema["format"].as_str().unwrap_or(&types))
}
