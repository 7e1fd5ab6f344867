//! Pure. How the agents' logins are renewed: what is asked, and what becomes of their files.
//! Observed with Claude Code 2.1.197 and Codex CLI 0.169.0.

use super::known::{CLAUDE_POINTER, CODEX_POINTER};
use crate::manifest::project::Source;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

/// The status and the body of an answer, or why there is none.
pub type Answer = Result<(u16, Secret<Vec<u8>>), String>;

/// Sends one request to a provider.
pub trait Post: Send + Sync {
    /// The status and the body of the answer, or why there is none.
    fn post(&self, url: &'static str, json: Secret<String>) -> BoxFuture<'static, Answer>;
}

/// Whose login it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Claude's.
    Claude,
    /// `ChatGPT`'s, as codex keeps it.
    Codex,
}

impl Provider {
    /// Whose login a source is, where it is one.
    pub fn of(source: &Source) -> Option<Self> {
        match source {
            Source::File { pointer, .. } if pointer == CLAUDE_POINTER => Some(Self::Claude),
            Source::File { pointer, .. } if pointer == CODEX_POINTER => Some(Self::Codex),
            _ => None,
        }
    }

    /// Where it is renewed.
    pub fn url(self) -> &'static str {
        match self {
            Self::Claude => "https://platform.claude.com/v1/oauth/token",
            Self::Codex => "https://auth.openai.com/oauth/token",
        }
    }

    /// What renews it.
    pub fn login(self) -> &'static str {
        match self {
            Self::Claude => "`claude`, then `/login`",
            Self::Codex => "`codex login`",
        }
    }

    /// Where its file keeps it.
    fn key(self) -> &'static str {
        match self {
            Self::Claude => "claudeAiOauth",
            Self::Codex => "tokens",
        }
    }

    /// What is asked; `None` where the file holds no refresh token.
    pub fn question(self, file: &Value) -> Option<Secret<String>> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let question = match self {
            Self::Claude => {
                let login = &file["claudeAiOauth"];
                let scopes = login["scopes"].as_array().map_or(&[][..], Vec::as_slice);
                let scopes: Vec<&str> = scopes.iter().filter_map(Value::as_str).collect();
                let mut question = json!({
                    "grant_type": "refresh_token",
                    "refresh_token": text(&login["refreshToken"])?,
                    "client_id": "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
                });
                if !scopes.is_empty() {
                    question["scope"] = json!(scopes.join(" "));
                }
                question
            }
            Self::Codex => json!({
                "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
                "grant_type": "refresh_token",
                "refresh_token": text(&file["tokens"]["refresh_token"])?,
                "scope": "openid profile email",
            }),
        };
        Some(Secret::new(question.to_string()))
    }

    /// When a login ends, in milliseconds of Unix time; `None` where it is not told.
    pub fn ends(self, file: &Value) -> Option<i64> {
        match self {
            Self::Claude => file["claudeAiOauth"]["expiresAt"].as_i64(),
            Self::Codex => {
                let token = file["tokens"]["access_token"].as_str()?;
                let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
                serde_json::from_slice::<Value>(&claims).ok()?["exp"]
                    .as_i64()
                    .map(|end| end.saturating_mul(1000))
            }
        }
    }

    /// The file with what a renewal brought; `None` where that is no renewal.
    pub fn renewed(self, mut file: Value, answer: &Value, now: i64, time: &str) -> Option<Value> {
        let text = |key: &str| answer[key].as_str().filter(|text| !text.is_empty());
        let access = text("access_token")?;
        // Only of an object a member can be set; what else stands there is no login.
        file.get(self.key()).filter(|login| login.is_object())?;
        match self {
            Self::Claude => {
                let login = &mut file[self.key()];
                login["accessToken"] = json!(access);
                if let Some(refresh) = text("refresh_token") {
                    login["refreshToken"] = json!(refresh);
                }
                let seconds = answer["expires_in"].as_i64().unwrap_or(3600).clamp(0, 1 << 31);
                login["expiresAt"] = json!(now + seconds * 1000);
                if let Some(scope) = text("scope") {
                    login["scopes"] = json!(scope.split(' ').collect::<Vec<_>>());
                }
            }
            Self::Codex => {
                for (key, value) in [
                    ("access_token", Some(access)),
                    ("refresh_token", text("refresh_token")),
                    ("id_token", text("id_token")),
                ] {
                    if let Some(value) = value {
                        file["tokens"][key] = json!(value);
                    }
                }
                file["last_refresh"] = json!(time);
            }
        }
        Some(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_and_no_answer_makes_it_panic() {
        let jwt = |exp: &str| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#)));
        let odd = [json!(null), json!([]), json!("text"), json!({}), json!(1), json!({"access_token": [1]})];
        let odd = odd.into_iter().chain(["1e400", "-9223372036854775808", "9223372036854775807"].map(
            |end| json!({"access_token": jwt(end), "refresh_token": "r", "scopes": 1, "expiresAt": i64::MIN}),
        ));
        let odd: Vec<Value> = odd.collect();
        for provider in [Provider::Claude, Provider::Codex] {
            for login in &odd {
                for file in [json!({provider.key(): login}), login.clone(), json!([login])] {
                    let _ = (provider.question(&file), provider.ends(&file));
                    for answer in odd.iter().chain([&json!({"access_token": "t", "expires_in": i64::MAX})]) {
                        let renewed = provider.renewed(file.clone(), answer, 0, "now");
                        assert!(renewed.is_none_or(|file| file[provider.key()].is_object()));
                    }
                }
            }
        }
        let file = json!({"tokens": {"access_token": jwt("9223372036854775807")}});
        assert_eq!(Provider::Codex.ends(&file), Some(i64::MAX));
    }
}
