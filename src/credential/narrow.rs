//! Pure. Which part of a change of what is lent only takes away.

use super::lending::Lending;
use crate::manifest::project::Rule;
use crate::proxy::narrow::covers;

/// The old lendings without those that are wanted no more, and with the narrower rules of the others. Nothing is lent
/// that was not, and to no request that it was not lent to.
pub fn narrowed(old: &[Lending], wanted: &[Lending]) -> Vec<Lending> {
    let one = |before: &Lending| {
        let after = wanted.iter().find(|lending| lending.name == before.name)?;
        Some(if is_narrower(before, after) { after.clone() } else { before.clone() })
    };
    old.iter().filter_map(one).collect()
}

/// Whether the one is lent to nothing that the other is not.
pub fn is_narrower(old: &Lending, new: &Lending) -> bool {
    let same_but_rules = old.bindings.iter().zip(&new.bindings).all(|(before, after)| {
        let mut alike = after.clone();
        (alike.rules, alike.place) = (before.rules.clone(), before.place.clone());
        alike == *before && stricter(&before.rules, &after.rules)
    });
    old.name == new.name
        && old.source == new.source
        && old.bindings.len() == new.bindings.len()
        && same_but_rules
}

/// Each rule must allow a request: what each old one allows, some new one must allow no more of.
fn stricter(old: &[Rule], new: &[Rule]) -> bool {
    old.iter().all(|wider| new.iter().any(|rule| covers(wider, rule)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::binding::Binding;
    use crate::manifest::project::{HostAccess, Source};

    fn lending(name: &str, variable: &str, host: &str, rules: &[&str]) -> Lending {
        let rule = |text: &&str| match *text {
            "any" => Rule::default(),
            "read-only" => Rule { access: HostAccess::ReadOnly, ..Rule::default() },
            path => Rule { paths: Some(vec![path.to_owned()]), ..Rule::default() },
        };
        let binding = Binding {
            credential: name.to_owned(),
            host: host.to_owned(),
            port: 443,
            rules: rules.iter().map(rule).collect(),
            header: "authorization".to_owned(),
            value: "{}".to_owned(),
            placeholders: Vec::new(),
            place: String::new(),
            sets: true,
        };
        let source = Some(Source::Env(variable.to_owned()));
        Lending { name: name.to_owned(), source, bindings: vec![binding] }
    }

    #[test]
    fn what_is_taken_away_holds_and_the_rest_waits() {
        let base = || lending("a", "A", "a.dev", &["any"]);
        for (old, wanted, holds) in [
            (base(), lending("a", "A", "a.dev", &["read-only"]), true),
            (base(), lending("a", "A", "a.dev", &["any", "/x"]), true),
            (lending("a", "A", "a.dev", &["read-only"]), base(), false),
            (lending("a", "A", "a.dev", &["/x", "read-only"]), lending("a", "A", "a.dev", &["/x"]), false),
            (base(), lending("a", "B", "a.dev", &["read-only"]), false),
            (base(), lending("a", "A", "b.dev", &["read-only"]), false),
        ] {
            let expected = if holds { wanted.clone() } else { old.clone() };
            assert_eq!(narrowed(&[old], &[wanted]), [expected]);
        }
        let (one, other) = (base(), lending("b", "B", "b.dev", &["any"]));
        let both = [one.clone(), other.clone()];
        assert_eq!(narrowed(&both, &both[1..]), both[1..]);
        assert_eq!(narrowed(std::slice::from_ref(&one), &[one.clone(), other]), [one]);
    }
}
