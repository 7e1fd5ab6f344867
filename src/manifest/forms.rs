//! Pure. Forms of one value as the YAML language server understands them best: no list of forms inside of another, one
//! enumeration for all words, and one schema where the types alone tell the forms apart.

use serde_json::{Map, Value, json};

/// Lifts the forms of a form into the list around it.
pub fn flatten(map: &mut Map<String, Value>) {
    let Some(Value::Array(forms)) = map.get_mut("anyOf") else { return };
    let all: Vec<Value> = std::mem::take(forms).into_iter().flat_map(spread).collect();
    *forms = with_words(all);
    for form in forms.iter_mut().filter_map(Value::as_object_mut) {
        form.shift_remove("description");
    }
    if let Some(joined) = join(forms) {
        map.shift_remove("anyOf");
        for (key, value) in joined {
            // What stands outside is a rule, and says more.
            match (map.get_mut(&key), value) {
                (Some(Value::Object(outer)), Value::Object(inner)) => {
                    for (key, value) in inner {
                        outer.entry(key).or_insert(value);
                    }
                }
                (_, value) => drop(map.entry(key).or_insert(value)),
            }
        }
    }
}

/// The forms inside of a form, however deep.
fn spread(form: Value) -> Vec<Value> {
    match ["anyOf", "oneOf"].iter().find_map(|key| form[key].as_array()) {
        Some(forms) => forms.iter().cloned().flat_map(spread).collect(),
        None => vec![form],
    }
}

/// Makes one enumeration of all words, with what each means; nothing is one of them where it is allowed.
fn with_words(forms: Vec<Value>) -> Vec<Value> {
    let nothing = json!({"type": "null"});
    let (words, mut others): (Vec<Value>, Vec<Value>) =
        forms.into_iter().partition(|form| form["const"].is_string());
    if !words.is_empty() {
        let allowed: Vec<Value> = words.iter().map(|word| word["const"].clone()).collect();
        let meanings: Vec<Value> = words.iter().map(|word| word["description"].clone()).collect();
        others.insert(0, json!({"type": "string", "enum": allowed, "markdownEnumDescriptions": meanings}));
    }
    let Some(form) = others.iter().position(|form| form["enum"].is_array()) else { return others };
    let Some(at) = others.iter().position(|form| *form == nothing) else { return others };
    let add = |list: &mut Value, item: Value| {
        if let Some(list) = list.as_array_mut() {
            list.push(item);
        }
    };
    add(&mut others[form]["enum"], Value::Null);
    add(&mut others[form]["markdownEnumDescriptions"], json!("Nothing is said here."));
    others[form]["type"] = json!(["string", "null"]);
    others.remove(at);
    others
}

/// One schema for forms that their types alone tell apart: with a list of forms, an editor takes a map with an unknown
/// key for another form and underlines it whole. What only some values of a type may be stays a list.
fn join(forms: &[Value]) -> Option<Map<String, Value>> {
    let (mut types, mut free, mut chosen) = (Vec::new(), Vec::new(), Vec::new());
    let mut joined = Map::new();
    for form in forms {
        let kinds = kinds(form)?;
        if kinds.iter().any(|kind| types.contains(kind)) {
            return None;
        }
        types.extend(kinds.iter().copied());
        if form.get("enum").is_some() || form.get("const").is_some() {
            chosen.push(form.clone());
            continue;
        }
        free.extend(kinds);
        for (key, value) in form.as_object()?.iter().filter(|(key, _)| *key != "type") {
            if joined.insert(key.clone(), value.clone()).is_some() {
                return None;
            }
        }
    }
    if let ([Value::Object(only)], []) = (chosen.as_slice(), free.as_slice()) {
        return Some(only.clone());
    }
    if !chosen.is_empty() {
        chosen.push(json!({"type": one_or_all(&free)}));
        joined.insert("anyOf".to_owned(), Value::Array(chosen));
    }
    joined.shift_insert(0, "type".to_owned(), one_or_all(&types));
    Some(joined)
}

/// The types that a form has.
fn kinds(form: &Value) -> Option<Vec<&str>> {
    if form.get("$ref").is_some() {
        return Some(vec!["object"]);
    }
    if form["const"].is_boolean() {
        return Some(vec!["boolean"]);
    }
    match &form["type"] {
        Value::String(kind) => Some(vec![kind]),
        Value::Array(kinds) => kinds.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn one_or_all(kinds: &[&str]) -> Value {
    match kinds {
        [only] => json!(only),
        _ => json!(kinds),
    }
}
