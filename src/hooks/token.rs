//! A session's hook token: it lets a caller report in this session's name, and nothing else.

use crate::fs;
use std::path::Path;

/// Reads the token of a session, or makes one: 32 random bytes in hexadecimal, in a file of mode 0600.
pub fn load(path: &Path) -> Result<String, fs::Error> {
    if fs::exists(path) {
        let token = fs::read_to_string(path)?.trim().to_owned();
        if token.len() == 64 {
            return Ok(token);
        }
    }
    let token = random();
    fs::replace(path, token.as_bytes(), 0o600)?;
    Ok(token)
}

/// Two random UUIDs hold 244 random bits from the system's generator.
fn random() -> String {
    let parts = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    parts.map(|part| part.simple().to_string()).concat()
}

/// Whether two tokens are the same, in a time that does not tell where they differ.
pub fn equal(left: &str, right: &str) -> bool {
    let difference = left.bytes().zip(right.bytes()).fold(0u8, |sum, (left, right)| sum | (left ^ right));
    std::hint::black_box(difference) == 0 && left.len() == right.len() && !left.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let token = load(&path).unwrap();
        assert_eq!(load(&path).unwrap(), token);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn only_the_same_is_equal() {
        assert!(equal("abc", "abc"));
        for other in ["abd", "ab", "abcd", ""] {
            assert!(!equal("abc", other), "{other}");
        }
        assert!(!equal("", ""));
    }
}
