//! Pure. Holds a manifest against the schema and puts every fault into words: unknown keys and words with the
//! nearest right one, types found and expected, the remedy where there is one.

use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use super::diagnostic::quoted;
use super::expected::Expected;
use super::finding::{Finding, Wrong};
use super::schema::schema;
use super::suggest::nearest;

/// Faults that are told of one manifest, at most about this many.
pub const MAX_FOUND: usize = 1_000;

struct Compiled {
    schema: Value,
    validator: Validator,
}

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let schema = schema();
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
    let mut fitting = context.iter().filter(|errors| !errors.iter().any(|error| misfit(error, here)));
    if let Some(errors) = fitting.next() {
        for error in errors {
            tell(error, findings);
        }
        return;
    }
    let mut expected = Expected::default();
    context.iter().flatten().for_each(|error| expected.add(error, here));
    findings.push(Finding::value(path, expected.words(error.instance())));
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
            expected.words(found)
        }
        ValidationErrorKind::Pattern { .. } => {
            let rule = parent_schema(error).and_then(|schema| schema.get("patternErrorMessage"));
            let wrong =
                Wrong::new(format!("{} is not accepted here", quoted(found.as_str().unwrap_or_default())));
            rule.and_then(Value::as_str).map_or(wrong.clone(), |rule| wrong.help(rule))
        }
        ValidationErrorKind::Required { property } => {
            Wrong::new(format!("the key `{}` is missing", property.as_str().unwrap_or_default()))
        }
        ValidationErrorKind::Minimum { limit } => {
            Wrong::new(format!("{found} is too small; the least is {limit}"))
        }
        ValidationErrorKind::Maximum { limit } => {
            Wrong::new(format!("{found} is too large; the most is {limit}"))
        }
        ValidationErrorKind::MinLength { .. } => {
            Wrong::new("an empty text").help("leave the key out instead")
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
    let help = match nearest(key, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => elsewhere(key, &path).unwrap_or_else(|| format!("known here: {}", known.join(", "))),
    };
    Finding::key(path, wrong.help(help))
}

/// A key that is right in another place.
fn elsewhere(key: &str, path: &[String]) -> Option<String> {
    let place = match key {
        "name" if path.len() > 1 => "`name` is the project's; a session's name is its key under `sessions`",
        "sessions" if path.len() > 1 => "`sessions` stands at the top of the manifest",
        "egress" | "hosts" => "it belongs under `proxy`",
        "cpus" | "memory" | "pids" => "it belongs under `resources`",
        "model" | "args" => "it belongs under `agent`",
        "branch" | "base" | "checkout" => "it belongs under `repository`",
        "services" => "clauderon has no services yet; agent sessions stand under `sessions`",
        _ => return None,
    };
    Some(place.to_owned())
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
