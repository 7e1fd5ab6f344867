//! Pure. Names with values, written as a map or as a list of `NAME=VALUE`: environment, labels, build arguments.

use std::collections::BTreeMap;

use super::diagnostic::quoted;
use super::finding::Wrong;
use super::written::container::Pairs;

/// A fault of one pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// The key of the map, or the index in the list.
    pub at: String,
    /// Whether the key is at fault.
    pub is_key: bool,
    /// What is wrong.
    pub wrong: Wrong,
}

/// Reads all pairs, with a check of each name.
pub fn pairs(
    written: &Pairs,
    check: fn(&str) -> Result<(), Wrong>,
) -> (BTreeMap<String, String>, Vec<Misplaced>) {
    let (mut read, mut wrongs) = (BTreeMap::new(), Vec::new());
    match written {
        Pairs::Map(map) => {
            for (name, value) in map {
                match check(name) {
                    Ok(()) => drop(read.insert(name.clone(), value.clone())),
                    Err(wrong) => wrongs.push(Misplaced { at: name.clone(), is_key: true, wrong }),
                }
            }
        }
        Pairs::List(list) => {
            for (index, item) in list.iter().enumerate() {
                if let Err(wrong) = read_item(item, check, &mut read) {
                    wrongs.push(Misplaced { at: index.to_string(), is_key: false, wrong });
                }
            }
        }
    }
    (read, wrongs)
}

fn read_item(
    item: &str,
    check: fn(&str) -> Result<(), Wrong>,
    read: &mut BTreeMap<String, String>,
) -> Result<(), Wrong> {
    let Some((name, value)) = item.split_once('=') else {
        return Err(Wrong::new(format!("{} has no value", quoted(item)))
            .help(format!("write {}; nothing is taken from the shell", quoted(&format!("{item}=VALUE")))));
    };
    check(name)?;
    match read.insert(name.to_owned(), value.to_owned()) {
        Some(_) => Err(Wrong::new(format!("{} stands here twice", quoted(name))).help("keep one of the two")),
        None => Ok(()),
    }
}

/// A name that a variable can have.
pub fn variable(name: &str) -> Result<(), Wrong> {
    if name.is_empty()
        || name.contains('=')
        || name.chars().any(|letter| letter.is_control() || letter == ' ')
    {
        return Err(
            Wrong::new(format!("{} is no name of a variable", quoted(name))).help("such as `RUST_LOG`")
        );
    }
    Ok(())
}

/// A name that a user's label can have.
pub fn label(name: &str) -> Result<(), Wrong> {
    if name.starts_with("clauderon.") {
        let wrong = Wrong::new(format!("the label {} is clauderon's own", quoted(name)));
        return Err(wrong.help("labels that begin with `clauderon.` say whose a container is"));
    }
    if name.is_empty() || name.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
        return Err(Wrong::new(format!("{} is no name of a label", quoted(name))).help("such as `team`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_everything_after_the_first_equals_sign() {
        let list = ["A=", "B=c=d", "C", "=x", "A=2"].map(str::to_owned).to_vec();
        let (read, wrongs) = pairs(&Pairs::List(list), variable);
        assert_eq!(read["B"], "c=d");
        let places: Vec<&str> = wrongs.iter().map(|wrong| wrong.at.as_str()).collect();
        assert_eq!(places, ["2", "3", "4"]);
    }
}
