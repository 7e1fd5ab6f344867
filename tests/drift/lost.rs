//! A checkout that is gone or elsewhere, and a branch that was deleted.

use super::*;
use crate::support::world::{committing, docker};

#[test]
fn a_checkout_that_is_gone_is_told_and_made_anew_from_the_branch() {
    let world = World::with_model(&committing());
    world.manifest("sessions:\n  a: {prompt: Greet the world}\n  m: {prompt: Greet the world}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    for session in ["a", "m"] {
        world.run(&["wait", session, "--for", "idle", "--timeout", "60s"]).ok();
        eventually("it is imported", LONG, || {
            world.git(&["branch", "--list", &format!("clauderon/{session}")]) != ""
        });
    }
    let (gone, moved) = (world.checkout("a"), world.checkout("m"));
    // In two steps: its agent may write in it meanwhile.
    std::fs::rename(&gone, world.path("gone")).unwrap();
    let _ = std::fs::remove_dir_all(world.path("gone"));
    std::fs::rename(&moved, world.path("moved")).unwrap();
    for (session, place) in [("a", &gone), ("m", &moved)] {
        let error = error(&world, session);
        let expected = format!(
            "its checkout `{}` is gone; `clauderon up` makes it anew from its branch",
            place.display()
        );
        assert_eq!((state(&world, session), error), ("running".to_owned(), expected));
    }
    assert!(world.run(&["ps"]).stderr.contains("a: its checkout"));
    let plan = world.run(&["plan"]).ok();
    assert_eq!(
        plan,
        "recreate a: its checkout is gone [recreate]\nrecreate m: its checkout is gone [recreate]\n"
    );
    // One that ends has nothing to be started on.
    strike(&world.container("a"));
    eventually("it is not tried", LONG, || state(&world, "a") == "failed");
    assert!(error(&world, "a").contains("its checkout"), "{}", error(&world, "a"));
    assert!(told(&world, "a", "drift").iter().any(|it| it.contains("not started again: its checkout")));
    world.run(&["up", "--wait"]).ok();
    for (session, place) in [("a", &gone), ("m", &moved)] {
        assert_eq!(std::fs::read_to_string(place.join("greeting.txt")).unwrap(), "hello\n", "{session}");
        assert_eq!((state(&world, session), error(&world, session)), ("running".to_owned(), String::new()));
    }
    assert!(world.path("moved").join("greeting.txt").exists(), "what was moved is the user's");
    assert_eq!(world.run(&["plan"]).ok(), "nothing to do\n");
}

#[test]
fn a_branch_that_was_deleted_is_told_once_and_comes_back_with_new_work_alone() {
    let world = World::with_model(&committing());
    world.manifest("sessions:\n  a: {prompt: Greet the world}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    let there = || world.git(&["branch", "--list", "clauderon/a"]) != "";
    eventually("it is imported", LONG, there);
    world.git(&["branch", "-D", "clauderon/a"]);
    for _ in 0..2 {
        world.run(&["pull"]).ok();
    }
    assert!(!there(), "what the user has taken away is not brought back");
    let said = told(&world, "a", "drift");
    assert!(said.len() == 1 && said[0].contains("`clauderon/a`") && said[0].contains("deleted"), "{said:?}");
    let commit = "cd /workspace && git commit --quiet --allow-empty --message More";
    docker(&["exec", &world.container("a"), "bash", "-c", commit]);
    world.run(&["pull"]).ok();
    assert!(there(), "new work comes");
    assert_eq!(told(&world, "a", "drift").len(), 1);
}
