//! Pure. Remedies for faults of shape, read from the schema: where a key belongs, which map a word was meant for, what
//! a right value looks like.

use serde_json::{Map, Value};

use super::suggest::known_as;

/// Characters of the longest example that is shown.
const LONGEST_EXAMPLE: usize = 90;

/// Keys of the longest list that is shown.
const LONGEST_LIST: usize = 8;

/// The maps of a session, by the key that they stand under.
const MAPS: [(&str, &str); 8] = [
    ("agent", "Agent"),
    ("budget", "Budget"),
    ("build", "Build"),
    ("prompt", "Prompt"),
    ("proxy", "Proxy"),
    ("repository", "Repository"),
    ("resources", "Resources"),
    ("timeout", "Timeout"),
];

/// Where a key that is unknown at the end of a path would be right.
pub fn elsewhere(schema: &Value, key: &str, path: &[String]) -> Option<String> {
    let has = |map: &str, key: &str| schema["$defs"][map]["properties"].get(key).is_some();
    let depth = if path.first().is_some_and(|first| first == "sessions") {
        path.len().saturating_sub(2)
    } else {
        path.len()
    };
    let parent = path.len().checked_sub(2).map(|at| path[at].as_str());
    let place = match (key, parent) {
        ("name", _) => "`name` is the project's; a session's name is its key under `sessions`".to_owned(),
        ("sessions", _) => "`sessions` stands at the top of the manifest".to_owned(),
        ("services", _) => "clauderon has no services yet; agent sessions stand under `sessions`".to_owned(),
        ("hosts", _) if depth == 1 => "it belongs under `proxy`".to_owned(),
        ("address" | "ca", _) if depth < 3 => "it belongs to a host under `proxy.hosts`".to_owned(),
        ("scope", _) if depth < 3 => "it belongs to a cache under `caches`".to_owned(),
        ("source" | "read_only", _) if depth < 3 => "it belongs to an item of `volumes`".to_owned(),
        (free, _) if free.starts_with("x-") => {
            "keys that begin with `x-` are free at the top and in a session only".to_owned()
        }
        (_, Some(parent)) if depth == 2 && has("Session", key) && has("Session", parent) => {
            format!("`{key}` stands beside `{parent}`, not inside of it")
        }
        _ if depth == 1 => {
            let (owner, _) = MAPS.iter().find(|(_, map)| has(map, key))?;
            format!("it belongs under `{owner}`")
        }
        _ => return None,
    };
    Some(place)
}

/// What a value of another form should have been, at a key whose schema is `node`.
pub fn form(schema: &Value, node: &Value, key: Option<&str>, found: &Value) -> Option<String> {
    let properties = properties(schema, node);
    if let Value::String(text) = found
        && let Some((key, word)) = properties.iter().find_map(|(key, value)| Some((key, word(value, text)?)))
    {
        return Some(format!("did you mean `{{{key}: {word}}}`?"));
    }
    if let (Some(key), Some(example)) = (key, example(node)) {
        return Some(format!("such as `{key}: {example}`"));
    }
    let keys: Vec<String> = properties.iter().map(|(key, _)| format!("`{key}`")).collect();
    if keys.len() > LONGEST_LIST {
        return key.is_none().then(|| "such as `prompt: Make the tests pass`".to_owned());
    }
    (!keys.is_empty()).then(|| format!("the keys of its map are {}", keys.join(", ")))
}

/// The keys of the map that a schema leads to.
fn properties<'a>(schema: &'a Value, node: &'a Value) -> Vec<(&'a str, &'a Value)> {
    let target = node["$ref"].as_str().and_then(|target| schema.pointer(target.strip_prefix('#')?));
    if let Some(target) = target {
        return properties(schema, target);
    }
    if let Some(map) = node["properties"].as_object() {
        return map.iter().map(|(key, value)| (key.as_str(), value)).collect();
    }
    node["anyOf"].as_array().into_iter().flatten().flat_map(|form| properties(schema, form)).collect()
}

/// The word of an enumeration that a text is, or that others call so.
fn word<'a>(node: &'a Value, text: &str) -> Option<&'a str> {
    let forms = ["anyOf", "oneOf"].iter().filter_map(|key| node[key].as_array()).flatten();
    forms.into_iter().find_map(|form| match form["const"].as_str() {
        Some(word) if word == text => Some(word),
        Some(word) => known_as(text, &[word]),
        None => word(form, text),
    })
}

/// The first example of a key that is short enough, as YAML on one line.
fn example(node: &Value) -> Option<String> {
    let examples = node["examples"].as_array()?;
    examples.iter().map(flow).find(|shown| shown.chars().count() <= LONGEST_EXAMPLE)
}

fn flow(value: &Value) -> String {
    let entry = |(key, value): (&String, &Value)| format!("{key}: {}", flow(value));
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => format!("{{{}}}", Map::iter(map).map(entry).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// Whether a text stands without quotes and stays text.
fn is_plain(text: &str) -> bool {
    // What begins with a digit is text when it ends in a letter and is no number of another base, such as `4GiB`.
    let is_letter = |letter: char| letter.is_ascii_alphabetic();
    let first = text.starts_with(|letter: char| is_letter(letter) || "./".contains(letter))
        || (text.starts_with(|digit: char| ('1'..='9').contains(&digit)) && text.ends_with(is_letter));
    let rest = text.chars().all(|letter| letter.is_ascii_alphanumeric() || " ./=_-".contains(letter));
    first && rest && !matches!(text, "true" | "false" | "null")
}

#[cfg(test)]
mod tests {
    use super::super::schema::shape;
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_key_in_the_wrong_place_is_sent_to_the_right_one() {
        let schema = shape();
        for (at, place) in [
            ("memory", "it belongs under `resources`"),
            ("model", "it belongs under `agent`"),
            ("sessions.a.branch", "it belongs under `repository`"),
            ("file", "it belongs under `prompt`"),
            ("sessions.a.agent.mode", "`mode` stands beside `agent`, not inside of it"),
            ("resources.agent", "`agent` stands beside `resources`, not inside of it"),
            ("proxy.address", "it belongs to a host under `proxy.hosts`"),
            ("sessions.a.name", "`name` is the project's; a session's name is its key under `sessions`"),
        ] {
            let path = path(at);
            assert_eq!(elsewhere(&schema, &path[path.len() - 1], &path).as_deref(), Some(place), "{at}");
        }
        for at in ["nonsense", "prompt.path", "caches.own.memory", "volumes.0.mode"] {
            let path = path(at);
            assert_eq!(elsewhere(&schema, &path[path.len() - 1], &path), None, "{at}");
        }
    }

    #[test]
    fn examples_stand_on_one_line() {
        let value =
            serde_json::json!({"a": ["b c", "true", "./x:/y", "--z", "4GiB", "4", 1], "d": {"e": null}});
        assert_eq!(flow(&value), "{a: [b c, \"true\", \"./x:/y\", \"--z\", 4GiB, \"4\", 1], d: {e: null}}");
    }
}
