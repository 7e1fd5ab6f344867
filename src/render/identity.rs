//! Pure. Names and ids derived from what a session is, so that they are found again without any store.

use crate::manifest::project::{Project, Session};
use sha2::{Digest, Sha256};
use std::path::Path;

/// A session's id: a UUID that the owner, the project's root and name and the session's name decide.
pub fn session_id(owner: &str, project: &Project, session: &str) -> String {
    derived(&[owner, &project.root.to_string_lossy(), &project.name, session])
}

/// The id of a session's conversation, counted from 1, in the form that the agents ask for.
pub fn conversation_id(session_id: &str, number: u32) -> String {
    if number <= 1 {
        return derived(&[session_id, "conversation"]);
    }
    derived(&[session_id, "conversation", &number.to_string()])
}

/// Who owns what a run makes: the user and the home, so that two homes never touch each other's containers.
pub fn owner(uid: u32, home: &Path) -> String {
    format!("{uid}:{}", home.display())
}

/// The container's name.
pub fn container_name(project: &Project, session: &Session) -> String {
    if project.name.is_empty() {
        return format!("clauderon-{}", session.name);
    }
    format!("clauderon-{}-{}", project.name, session.name)
}

/// A UUID (version 8, RFC 9562) of the SHA-256 of the parts, each preceded by its length.
fn derived(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// The first twelve hexadecimal digits of a text's SHA-256.
pub fn short_hash(text: &str) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
    let halves = Sha256::digest(text.as_bytes()).into_iter().take(6).flat_map(|byte| [byte >> 4, byte & 15]);
    halves.map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::derived;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(derived(&["ab", "c"]), derived(&["a", "bc"]));
        assert_eq!(derived(&["a", "b"]), derived(&["a", "b"]));
    }
}
