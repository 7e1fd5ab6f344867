//! Text → diagnostics or a `Project`. Diagnostics lie inside the text and can be shown; a project survives its own
//! resolved form.
#![no_main]

use std::path::Path;

use clauderon::manifest::parse_in;
use clauderon::manifest::resolved::to_yaml;
use clauderon::manifest::settle::Surroundings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let files = |path: &Path| match path.extension() {
        Some(_) => Ok("Do it\n".to_owned()),
        None => Err("No such file or directory (os error 2)".to_owned()),
    };
    let root = Path::new("/home/me/shop");
    let around = Surroundings { root, home: Some(Path::new("/home/me")), files: &files };
    let parse = |text: &str| parse_in(&root.join("clauderon.yaml"), text, &around);
    match parse(text) {
        Ok(project) => {
            let resolved = to_yaml(&project);
            let again = parse(&resolved).unwrap_or_else(|wrong| panic!("{resolved}\n{}", wrong.render(false)));
            assert_eq!(again.without_places(), project.without_places(), "{resolved}");
        }
        Err(wrong) => {
            assert!(!wrong.list.is_empty());
            for diagnostic in &wrong.list {
                assert!(text.get(diagnostic.place.span.clone()).is_some(), "{diagnostic:?} is not in the text");
            }
            let shown = wrong.render(false);
            assert!(shown.chars().all(|letter| letter == '\n' || !letter.is_control()), "{shown:?}");
        }
    }
});
