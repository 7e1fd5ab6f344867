//! Pure. Holds a manifest against the schema and puts every fault into words: unknown keys and words with the
//! nearest right one, types found and expected, the remedy where there is one.

use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use super::diagnostic::quoted;
use super::effect;
use super::expected::Expected;
use super::finding::{Finding, Wrong};
use super::hint;
use super::schema::shape;
use super::suggest::{known_as, nearest};

/// Faults that are told of one manifest, at most about this many.
pub const MAX_FOUND: usize = 1_000;

struct Compiled {
    schema: Value,
    validator: Validator,
}

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let schema = shape();
    let validator = jsonschema::validator_for(&schema).expect("the schema of the manifest is a schema");
    Compiled { schema, validator }
});

/// All faults that the schema finds, or enough of them.
pub fn check(value: &Value) -> Vec<Finding> {
    match begin(value).map(|begin| find(&begin)) {
        Some(findings) if !findings.is_empty() => findings,
        _ => find(value),
    }
}

/// The begin of what is very long, for the validator keeps every fault in memory: lists, and the sessions.
fn begin(value: &Value) -> Option<Value> {
    let map = value.as_object()?;
    let few = |(key, value): (&String, &Value)| {
        let value = match value {
            Value::Array(items) => items.iter().take(MAX_FOUND).cloned().collect(),
            Value::Object(entries) if key == "sessions" => {
                let few = entries.iter().take(MAX_FOUND);
                Value::Object(few.map(|(name, session)| (name.clone(), session.clone())).collect())
            }
            other => other.clone(),
        };
        (key.clone(), value)
    };
    is_long(map).then(|| Value::Object(map.iter().map(few).collect()))
}

fn is_long(map: &Map<String, Value>) -> bool {
    map.iter().any(|(key, value)| match value {
        Value::Array(items) => items.len() > MAX_FOUND,
        Value::Object(entries) => key == "sessions" && entries.len() > MAX_FOUND,
        _ => false,
    })
}

fn find(value: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for error in COMPILED.validator.iter_errors(value) {
        tell(&error, &mut findings);
        if findings.len() >= MAX_FOUND {
            break;
        }
    }
    findings.truncate(MAX_FOUND);
    findings
}

fn tell(error: &ValidationError<'_>, findings: &mut Vec<Finding>) {
    let path = segments(error.instance_path().as_str());
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            tell_branches(error, context, path, findings);
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let few = unexpected.iter().take(MAX_FOUND);
            findings.extend(few.map(|key| unknown_key(error, &path, key)));
        }
        _ => findings.push(Finding::value(path, words(error))),
    }
}

/// Of several forms, the faults of the one that was meant: the one whose type fits.
fn tell_branches(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    path: Vec<String>,
    findings: &mut Vec<Finding>,
) {
    let here = error.instance_path().as_str();
    let mut expected = Expected::default();
    context.iter().flatten().for_each(|error| expected.add(error, here));
    if expected.has_near(error.instance()) {
        findings.push(Finding::value(path, expected.words(error.instance())));
        return;
    }
    let mut fitting = context.iter().filter(|errors| !errors.iter().any(|error| misfit(error, here)));
    if let Some(errors) = fitting.next() {
        for error in errors {
            tell(error, findings);
        }
        return;
    }
    let lists_words = error.instance().is_string() && expected.has_words();
    let wrong = expected.words(error.instance());
    findings.push(Finding::value(path, if lists_words { wrong } else { with_form(wrong, error) }));
}

/// Adds what the value should look like, where no better remedy is known.
fn with_form(wrong: Wrong, error: &ValidationError<'_>) -> Wrong {
    if wrong.help.is_some() {
        return wrong;
    }
    let path = segments(error.instance_path().as_str());
    let key = path.last().map(String::as_str).filter(|key| key.parse::<usize>().is_err());
    let node = parent_schema(error);
    match node.and_then(|node| hint::form(&COMPILED.schema, node, key, error.instance())) {
        Some(form) => wrong.help(form),
        None => wrong,
    }
}

/// Whether an error says that the value is of another form altogether.
fn misfit(error: &ValidationError<'_>, here: &str) -> bool {
    if error.instance_path().as_str() != here {
        return false;
    }
    match error.kind() {
        ValidationErrorKind::Type { .. } | ValidationErrorKind::Constant { .. } => true,
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            context.iter().all(|errors| errors.iter().any(|error| misfit(error, here)))
        }
        _ => false,
    }
}

/// The words for an error that has no further ones inside.
fn words(error: &ValidationError<'_>) -> Wrong {
    let found = error.instance();
    match error.kind() {
        ValidationErrorKind::Type { kind } => {
            if let Some(wrong) = missing_value(error) {
                return wrong;
            }
            let mut expected = Expected::default();
            expected.add_types(kind);
            with_form(expected.words(found), error)
        }
        ValidationErrorKind::Pattern { .. } => {
            let rule = parent_schema(error).and_then(|schema| schema.get("patternErrorMessage"));
            let wrong =
                Wrong::new(format!("{} is not accepted here", quoted(found.as_str().unwrap_or_default())));
            rule.and_then(Value::as_str).map_or(wrong.clone(), |rule| wrong.help(rule))
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let wrong = Wrong::new(format!("the key `{key}` is missing"));
            let what = parent_schema(error).and_then(|node| node["properties"][key]["description"].as_str());
            let what = what.map(effect::without);
            what.map_or(wrong.clone(), |what| wrong.help(format!("`{key}`: {what}")))
        }
        ValidationErrorKind::Minimum { limit } => {
            Wrong::new(format!("{found} is too small; the least is {limit}"))
        }
        ValidationErrorKind::Maximum { limit } => {
            Wrong::new(format!("{found} is too large; the most is {limit}"))
        }
        ValidationErrorKind::MinLength { .. } => {
            let path = segments(error.instance_path().as_str());
            Wrong::new("an empty text").help(match path.as_slice() {
                [sessions, name] if sessions == "sessions" => {
                    format!("write `{name}:` with nothing behind it for a session without a prompt")
                }
                _ => "leave the key out instead".to_owned(),
            })
        }
        ValidationErrorKind::MinItems { .. } => {
            Wrong::new("an empty list").help("leave the key out instead, or say what is meant")
        }
        ValidationErrorKind::MinProperties { .. } => Wrong::new("there is no session here")
            .help("declare one, or leave `sessions` out to have one named `default`"),
        _ => Wrong::new(error.to_string()),
    }
}

/// A variable or label without a value: compose would take it from the shell, and nothing is taken here.
fn missing_value(error: &ValidationError<'_>) -> Option<Wrong> {
    let path = segments(error.instance_path().as_str());
    let [.., parent, name] = path.as_slice() else { return None };
    let is_pair = matches!(parent.as_str(), "environment" | "labels" | "args");
    (is_pair && error.instance().is_null()).then(|| {
        Wrong::new(format!("{} has no value", quoted(name))).help(format!(
            "write {} for an empty one; nothing is taken from the shell",
            quoted(&format!("{name}: \"\""))
        ))
    })
}

fn unknown_key(error: &ValidationError<'_>, path: &[String], key: &str) -> Finding {
    let path: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
    let schema = parent_schema(error);
    let Some(known) = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object) else {
        let wrong = Wrong::new(format!("{} is not a valid name", quoted(key)));
        return Finding::key(path, wrong.help(super::scalar::NAME_RULE));
    };
    let wrong = Wrong::new(format!("unknown key {}", quoted(key)));
    let known: Vec<&str> = known.keys().map(String::as_str).collect();
    let help = hint::elsewhere(&COMPILED.schema, key, &path).unwrap_or_else(|| {
        match nearest(key, known.iter().copied()).or_else(|| known_as(key, &known)) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("known here: {}", known.join(", ")),
        }
    });
    Finding::key(path, wrong.help(help))
}

/// The schema object that an error's keyword stands in.
pub(super) fn parent_schema(error: &ValidationError<'_>) -> Option<&'static Value> {
    let path = error.schema_path().as_str();
    let (parent, _) = path.rsplit_once('/')?;
    COMPILED.schema.pointer(parent)
}

/// The keys and indexes of a JSON pointer.
fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
}
