//! Pure. Cuts the faulty parts out of a manifest, so that the rules can be held against the rest, and remembers
//! where items of lists are gone, so that what the rules find is placed rightly.

use serde_json::Value;

use super::finding::Finding;

/// What was cut out of lists.
#[derive(Debug, Default)]
pub struct Pruned(Vec<(Vec<String>, usize)>);

/// Cuts out what the findings name.
pub fn prune(value: &mut Value, findings: &[Finding]) -> Pruned {
    let mut paths: Vec<&[String]> = findings.iter().map(|finding| finding.path.as_slice()).collect();
    // From the end of each list to its begin, so that the indexes of what is yet to be cut stay right.
    let order = |path: &&[String]| path.iter().map(|key| (index(key), key.clone())).collect::<Vec<_>>();
    paths.sort_by_key(|path| std::cmp::Reverse(order(path)));
    paths.dedup();
    let mut pruned = Pruned::default();
    for path in paths {
        cut(value, path, 0, &mut pruned);
    }
    pruned
}

fn cut(value: &mut Value, path: &[String], depth: usize, pruned: &mut Pruned) {
    let Some(key) = path.get(depth) else { return };
    let last = depth + 1 == path.len();
    match value {
        Value::Object(map) if last => drop(map.shift_remove(key)),
        Value::Object(map) => {
            if let Some(inner) = map.get_mut(key) {
                cut(inner, path, depth + 1, pruned);
            }
        }
        Value::Array(items) => {
            let Some(at) = index(key).filter(|at| *at < items.len()) else { return };
            if last {
                items.remove(at);
                pruned.0.push((path[..depth].to_vec(), at));
            } else {
                cut(&mut items[at], path, depth + 1, pruned);
            }
        }
        _ => {}
    }
}

fn index(key: &str) -> Option<usize> {
    key.parse().ok()
}

impl Pruned {
    /// Turns the indexes of a path through what remained into those of the whole.
    pub fn restore(&self, path: &mut [String]) {
        // What was cut last stood nearest to the begin of its list.
        for (list, cut) in self.0.iter().rev() {
            let Some((head, [key, ..])) = path.split_at_mut_checked(list.len()) else { continue };
            if let Some(at) = index(key).filter(|at| head == list.as_slice() && at >= cut) {
                *key = (at + 1).to_string();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn what_remains_of_a_list_keeps_its_places() {
        let mut value = serde_json::json!({"a": (0..12).collect::<Vec<_>>(), "b": {"c": 1, "d": 2}});
        let findings = ["a.2", "a.10", "a.0", "b.c", "a.2"].map(|text| Finding::new(path(text), "wrong"));
        let pruned = prune(&mut value, &findings);
        assert_eq!(value, serde_json::json!({"a": [1, 3, 4, 5, 6, 7, 8, 9, 11], "b": {"d": 2}}));
        for (remaining, original) in
            [("a.0", "a.1"), ("a.1", "a.3"), ("a.7", "a.9"), ("a.8", "a.11"), ("b.1", "b.1")]
        {
            let mut found = path(remaining);
            pruned.restore(&mut found);
            assert_eq!(found, path(original));
        }
    }
}
