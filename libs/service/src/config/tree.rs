//! Settings as a tree: merging with a check of every key and type, and printing without secrets.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ConfigError;

/// The prefix of environment variables; two underscores separate sections.
const PREFIX: &str = "CALLBOARD__";

pub(super) fn parse(text: &str, name: &str) -> Result<Value, ConfigError> {
    let wrong = |error: config::ConfigError| {
        ConfigError::new(format!("{name}: {}", without_values(&error.to_string())))
    };
    config::Config::builder()
        .add_source(config::File::from_str(text, config::FileFormat::Toml))
        .build()
        .and_then(config::Config::try_deserialize)
        .map_err(wrong)
}

/// The settings under a path, typed. What does not fit is named by its key.
pub(super) fn typed<T: DeserializeOwned>(tree: &Value, path: &str) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(tree).map_err(|error| {
        let within = error.path().to_string();
        let key: Vec<&str> =
            [path, &within].into_iter().filter(|part| !part.is_empty() && *part != ".").collect();
        ConfigError::new(format!("{}: {}", key.join("."), without_values(&error.inner().to_string())))
    })
}

/// A parser's message may quote what it read, which may be a secret: keeps the first line, without quotes.
pub(super) fn without_values(message: &str) -> String {
    let mut quoted = false;
    let first = message.lines().next().unwrap_or_default();
    first
        .chars()
        .filter(|letter| {
            if *letter == '"' {
                quoted = !quoted;
            }
            !quoted || *letter == '"'
        })
        .collect()
}

/// The service's defaults: may change those of the chassis, and add the section of its own name.
pub(super) fn merge_defaults(tree: &mut Value, own: Value, service: &str, problems: &mut Vec<String>) {
    let (Value::Object(tree_map), Value::Object(mut own)) = (&mut *tree, own) else { return };
    let section = own.remove(service).unwrap_or_else(|| Value::Object(Map::new()));
    tree_map.insert(service.to_owned(), section);
    merge(tree, Value::Object(own), "", problems);
}

/// Lays one tree over another. A key that is not there yet is a problem; an empty table takes any keys.
pub(super) fn merge(tree: &mut Value, overlay: Value, path: &str, problems: &mut Vec<String>) {
    match (tree, overlay) {
        (Value::Object(tree), Value::Object(overlay)) if !path.is_empty() && tree.is_empty() => {
            *tree = overlay
        }
        (Value::Object(tree), Value::Object(overlay)) => {
            for (key, value) in overlay {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match tree.get_mut(&key) {
                    Some(existing) => merge(existing, value, &path, problems),
                    None => problems.push(format!("{path} is not a known key")),
                }
            }
        }
        (existing, value) => match coerce(existing, value) {
            Ok(value) => *existing = value,
            Err(expected) => problems.push(format!("{path} must be {expected}")),
        },
    }
}

/// The value in the type of the default. Texts, as the environment has them, are read as that type.
fn coerce(default: &Value, value: Value) -> Result<Value, &'static str> {
    match (default, value) {
        (Value::Number(_), value @ Value::Number(_))
        | (Value::Bool(_), value @ Value::Bool(_))
        | (Value::String(_), value @ Value::String(_))
        | (Value::Array(_), value @ Value::Array(_))
        | (Value::Object(_), value @ Value::Object(_))
        | (Value::Null, value) => Ok(value),
        (Value::Number(_), Value::String(text)) => {
            let number = serde_json::from_str::<serde_json::Number>(text.trim());
            number.map(Value::Number).map_err(|_| "a number")
        }
        (Value::Bool(_), Value::String(text)) => {
            text.trim().parse().map(Value::Bool).map_err(|_| "true or false")
        }
        (Value::Array(_), Value::String(text)) => {
            let list = serde_json::from_str::<Vec<Value>>(text.trim());
            list.map(Value::Array).map_err(|_| "a list, in JSON where it comes from the environment")
        }
        (Value::Object(_), Value::String(text)) => {
            let table = serde_json::from_str::<Map<String, Value>>(text.trim());
            table.map(Value::Object).map_err(|_| "a table, in JSON where it comes from the environment")
        }
        (Value::Number(_), _) => Err("a number"),
        (Value::Bool(_), _) => Err("true or false"),
        (Value::String(_), _) => Err("a text"),
        (Value::Array(_), _) => Err("a list"),
        (Value::Object(_), _) => Err("a table"),
    }
}

/// Sets one value by path.
pub(super) fn set(tree: &mut Value, path: &str, value: Value, problems: &mut Vec<String>) {
    let nested = path.rsplit('.').fold(value, |inner, key| {
        let mut table = Map::new();
        table.insert(key.to_owned(), inner);
        Value::Object(table)
    });
    merge(tree, nested, "", problems);
}

fn exists(tree: &Value, path: &[String]) -> bool {
    path.iter().try_fold(tree, |value, key| value.get(key)).is_some()
}

/// Lays `CALLBOARD__…` variables over the tree. `…_FILE` names a file with the value, unless the key itself ends so.
pub(super) fn merge_environment(
    tree: &mut Value,
    variables: &[(String, String)],
    problems: &mut Vec<String>,
) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let mut path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        let mut text = value.clone();
        if !exists(tree, &path)
            && let Some(last) = path.last_mut()
            && let Some(key) = last.strip_suffix("_file")
        {
            *last = key.to_owned();
            match std::fs::read_to_string(value) {
                Ok(content) => text = content.trim_end_matches(['\n', '\r']).to_owned(),
                Err(error) => {
                    problems.push(format!("{name}: the file cannot be read: {error}"));
                    continue;
                }
            }
        }
        let path = path.join(".");
        if let Some(other) = seen.insert(path.clone(), name) {
            problems.push(format!("{path} is set twice, by {other} and {name}"));
        }
        set(tree, &path, Value::String(text), problems);
    }
}

/// Lines `path = value`, sorted, secrets masked.
pub(super) fn render(tree: &Value) -> String {
    let mut lines = BTreeMap::new();
    collect(tree, "", &mut lines);
    lines.into_iter().map(|(path, value)| format!("{path} = {value}\n")).collect()
}

fn collect(value: &Value, path: &str, lines: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(table) if !table.is_empty() => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, &path, lines);
            }
        }
        value => drop(lines.insert(path.to_owned(), mask(path, value))),
    }
}

fn mask(path: &str, value: &Value) -> String {
    let key = path.rsplit('.').next().unwrap_or_default();
    let secret = ["password", "secret", "token_key", "private", "signing_key", "encryption_key", "_pem"];
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(_) if secret.iter().any(|word| key.contains(word)) => "\"***\"".to_owned(),
        Value::String(text) => Value::String(without_password(text)).to_string(),
        value => value.to_string(),
    }
}

/// `postgres://user:***@host/db`, for each of several addresses too.
fn without_password(text: &str) -> String {
    let one = |address: &str| {
        let (scheme, rest) = address.split_once("://")?;
        let (user, host) = rest.rsplit_once('@')?;
        // NATS takes a bare token in the place of the user.
        let user = user.split_once(':').map_or("***".to_owned(), |(user, _)| format!("{user}:***"));
        Some(format!("{scheme}://{user}@{host}"))
    };
    // A comma within a password belongs to its address.
    let mut addresses: Vec<String> = Vec::new();
    for part in text.split(',') {
        match addresses.last_mut() {
            Some(last) if !part.contains("://") => {
                last.push(',');
                last.push_str(part);
            }
            _ => addresses.push(part.to_owned()),
        }
    }
    let masked = addresses.iter().map(|address| one(address).unwrap_or_else(|| address.clone()));
    masked.map(|address| without_password_parameter(&address)).collect::<Vec<_>>().join(",")
}

/// `postgres://host/db?user=me&password=***`
fn without_password_parameter(address: &str) -> String {
    let Some((front, query)) = address.split_once('?') else { return address.to_owned() };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if name.contains("password") => format!("{name}=***"),
        _ => parameter.to_owned(),
    });
    format!("{front}?{}", parameters.collect::<Vec<_>>().join("&"))
}
