//! The link's own little JSON against a real reader of it.

#[path = "../../src/link/json.rs"]
mod subject;

use proptest::prelude::*;
use serde_json::Value;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_is_one(value in value()) {
        prop_assert!(subject::is_value(&value.to_string()));
        prop_assert!(subject::is_value(&serde_json::to_string_pretty(&value).unwrap()));
    }

    #[test]
    fn what_is_taken_for_a_value_is_read_as_one_by_the_daemon(
        text in r#"[\[\]{}",:0-9a-fnrtuxlsE.+\\ -]{0,12}"#,
        value in value(),
        at in any::<prop::sample::Index>(),
        put in r#"[\[\]{}",:0-9eu\\ -]"#,
    ) {
        let mut bent: Vec<char> = value.to_string().chars().collect();
        let at = at.index(bent.len());
        bent[at] = put.chars().next().unwrap();
        for text in [text, bent.into_iter().collect()] {
            let read = serde_json::from_str::<Value>(&text).is_ok();
            if subject::is_value(&text) {
                prop_assert!(read, "{text}");
            }
        }
    }

    #[test]
    fn a_quoted_text_is_read_as_it_was(text in any::<String>()) {
        let quoted = subject::quote(&text);
        prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        prop_assert!(subject::is_value(&quoted));
    }
}
