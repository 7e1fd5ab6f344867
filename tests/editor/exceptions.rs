//! Invalid manifests in which an editor, or another reader of YAML, sees less than `validate`, or sees it elsewhere.

/// Invalid manifests in which the schema can see nothing, each with why.
pub const BEYOND_THE_SCHEMA: &[(&str, &str)] = &[
    ("budget-of-a-tunnel", "two keys that are at odds"),
    ("budget-of-an-open-network", "two keys that are at odds"),
    ("batch-without-prompt", "the prompt may stand in another level"),
    ("branches-below-each-other", "compares sessions after merging"),
    ("branches-twice", "compares sessions after merging"),
    ("cache-without-a-path", "the path may stand in another level"),
    ("caches-share-a-path", "compares two keys after merging"),
    ("credential-command-of-a-project", "knows whose file it is"),
    ("credential-hosts", "compares names with what clauderon knows of them"),
    ("credential-without-a-host", "the host may stand in another level"),
    ("host-address-of-a-pattern", "compares a key with what stands below it"),
    ("host-false-in-a-list", "tells an item's form from the same form elsewhere"),
    ("host-tunnel-with-methods", "compares two keys"),
    ("host-twice", "compares keys without their case"),
    ("host-two-addresses", "compares two items"),
    ("memory-too-little", "reckons with a text"),
    ("memory-too-much", "reckons with a text"),
    ("not-yaml-control-character", "is text to other readers of YAML"),
    ("nul-bytes", "holds for every text and key alike"),
    ("prompt-file-empty", "reads a file"),
    ("prompt-file-missing", "reads a file"),
    ("prompt-file-with-nul", "reads a file"),
    ("prompt-too-long", "reads a file"),
    ("recursive-anchor", "no value to hold a schema against"),
    ("variable-twice", "compares the names of two items"),
    ("volume-over-a-cache", "compares two keys after merging"),
    ("volume-target-twice", "compares the targets of two items"),
];

/// What is wrong to `validate` and not to the language server, each with why.
pub const NOT_UNDERLINED: &[(&str, &str)] = &[
    ("merge-key-of-text", "the server leaves a merge key without a map alone"),
    ("not-yaml-two-documents", "to the server each document is a manifest"),
];

/// Invalid manifests that are no YAML to begin with, or not to every reader.
pub const NO_YAML: &[&str] = &[
    "alias-bomb",
    "deep-nesting",
    "key-twice",
    "merge-key-of-text",
    "not-yaml-bracket",
    "not-yaml-indentation",
    "not-yaml-quote",
    "not-yaml-tab",
    "not-yaml-two-colons",
    "not-yaml-two-documents",
    "not-yaml-unquoted-at",
    "unknown-anchor",
];

/// Invalid manifests whose lines the language server names otherwise, each with how.
pub const OTHER_LINES: &[(&str, &str)] = &[
    ("alias-in-the-wrong-place", "underlines the alias, `validate` the key at the anchor"),
    ("not-yaml-quote", "says at the end of the text that a quote is open"),
];
