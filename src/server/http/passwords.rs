//! Who asks: a token of this start of the server, or a user with a password.
//!
//! A password that is wrong makes the next attempt for that user from that address wait, twice as
//! long each time, whether the user exists or not; what waits too long is refused unchecked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::FutureExt;
use tokio::sync::Semaphore;

use super::problem::Problem;
use crate::error::Result;
use crate::records::roles::Role;
use crate::server::pg::scram::{self, Verifier};
use crate::session::Engine;

/// The wait after the first failure, and the longest.
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// How long an attempt may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// Without a failure for so long, all is forgotten.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// Names and addresses whose failures are remembered.
const REMEMBERED: usize = 10_000;
/// Passwords that are checked at a time; each check is some thousand rounds of hashing.
const CHECKS: usize = 2;
const BYTES: usize = 32;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    pub user: Arc<str>,
    pub role: Role,
}

/// The token that the link has.
pub struct Token {
    bytes: [u8; BYTES],
    pub caller: Caller,
}

impl Token {
    /// A new one that nobody can guess.
    pub fn new(role: Role) -> Result<Self> {
        Ok(Self {
            bytes: scram::random()?,
            caller: Caller {
                user: "page".into(),
                role,
            },
        })
    }

    /// As it stands in the link.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes)
    }

    /// Whether this is it, in the same time wherever it differs.
    fn is(&self, text: &str) -> bool {
        let given = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        scram::are_equal(&given, &self.bytes)
    }
}

/// What is known of an attempt's name and address.
#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
    /// Not before then is the next one checked.
    free: Instant,
}

/// Checks who asks.
pub struct Passwords {
    token: Option<Token>,
    failures: Mutex<HashMap<(String, IpAddr), Failures>>,
    checks: Semaphore,
    secret: [u8; BYTES],
}

impl Passwords {
    pub fn new(token: Option<Token>) -> Result<Self> {
        Ok(Self {
            token,
            failures: Mutex::default(),
            checks: Semaphore::new(CHECKS),
            secret: scram::random()?,
        })
    }

    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Who it is by the header of a request.
    pub async fn caller(
        &self,
        engine: &Engine,
        header: Option<&str>,
        peer: IpAddr,
    ) -> Result<Caller, Problem> {
        let refuse = |detail: &str| {
            let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
            Err(problem.hinted(
                "open the link that the server printed when it was started, or log in with a user \
                 and password",
            ))
        };
        let Some(header) = header else {
            return refuse("the request says not who asks: it has no Authorization");
        };
        let (scheme, given) = header.split_once(' ').unwrap_or((header, ""));
        let given = given.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return match &self.token {
                Some(token) if token.is(given) => Ok(token.caller.clone()),
                _ => refuse("the token is not that of this server as it runs now"),
            };
        }
        let decoded = STANDARD.decode(given).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded.as_deref().and_then(|text| text.split_once(':')) {
            Some((user, password)) if scheme.eq_ignore_ascii_case("basic") => {
                match self.check(engine, user, password, peer).boxed().await? {
                    Some(caller) => Ok(caller),
                    None => refuse("the user or the password is wrong"),
                }
            }
            _ => {
                refuse("Authorization must be Bearer with a token, or Basic with user and password")
            }
        }
    }

    async fn check(
        &self,
        engine: &Engine,
        user: &str,
        password: &str,
        peer: IpAddr,
    ) -> Result<Option<Caller>, Problem> {
        let shown: String = user.chars().take(64).collect();
        let key = (shown.clone(), peer);
        let wait = self.turn(&key);
        if wait > PATIENCE {
            tracing::warn!(%peer, user = ?shown, "login refused: too many wrong passwords");
            let problem = Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong passwords for this user from this address",
            );
            return Err(problem.hinted(format!("wait {} s", wait.as_secs() + 1)));
        }
        tokio::time::sleep(wait).await;
        let Ok(_check) = self.checks.acquire().await else {
            return Err(Problem::stopping());
        };
        let known = engine.store().user(user).await?;
        let verifier = known.as_ref().and_then(|k| Verifier::parse(&k.verifier));
        let is_known = verifier.is_some();
        let verifier = verifier.unwrap_or_else(|| Verifier::of_nobody(user, &self.secret));
        let password = password.to_owned();
        let is_right = tokio::task::spawn_blocking(move || verifier.is_of(&password)).await;
        match (known, is_right.unwrap_or(false) && is_known) {
            (Some(known), true) => {
                self.lock().remove(&key);
                Ok(Some(Caller {
                    user: known.name.as_str().into(),
                    role: known.role,
                }))
            }
            _ => {
                tracing::warn!(%peer, user = ?shown, "login failed: wrong user or password");
                self.failed(key);
                Ok(None)
            }
        }
    }

    /// How long this attempt waits; the next waits behind it.
    fn turn(&self, key: &(String, IpAddr)) -> Duration {
        let now = Instant::now();
        let mut failures = self.lock();
        let Some(known) = failures.get_mut(key) else {
            return Duration::ZERO;
        };
        let wait = known.free.saturating_duration_since(now);
        if wait <= PATIENCE {
            known.free = now + wait + delay(known.count);
        }
        wait
    }

    fn failed(&self, key: (String, IpAddr)) {
        let now = Instant::now();
        let mut failures = self.lock();
        if failures.len() >= REMEMBERED {
            failures.retain(|_, known| now.duration_since(known.last) < FORGET);
        }
        if failures.len() >= REMEMBERED {
            let oldest = failures.iter().min_by_key(|(_, known)| known.last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                failures.remove(&oldest);
            }
        }
        let known = failures.entry(key).or_insert(Failures {
            count: 0,
            last: now,
            free: now,
        });
        if now.duration_since(known.last) >= FORGET {
            known.count = 0;
        }
        known.count += 1;
        known.last = now;
        known.free = known.free.max(now + delay(known.count));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, IpAddr), Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the next attempt waits after so many failures.
fn delay(failures: u32) -> Duration {
    let factor = 1_u32
        .checked_shl(failures.saturating_sub(1))
        .unwrap_or(u32::MAX);
    FIRST_DELAY.saturating_mul(factor).min(LONGEST_DELAY)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_that_one_alone() {
        let (one, other) = (
            Token::new(Role::Reader).unwrap(),
            Token::new(Role::Reader).unwrap(),
        );
        assert!(one.is(&one.text()));
        assert_eq!(one.text().len(), 43);
        for wrong in [
            other.text(),
            one.text()[..42].into(),
            String::new(),
            "=".into(),
        ] {
            assert!(!one.is(&wrong), "{wrong}");
        }
    }

    #[test]
    fn waits_grow_and_are_of_one_name_and_address() {
        let passwords = Passwords::new(None).unwrap();
        let key = |name: &str| (name.to_owned(), IpAddr::from([127, 0, 0, 1]));
        let mut last = Duration::ZERO;
        for _ in 0..5 {
            passwords.failed(key("ann"));
            let wait = passwords.turn(&key("ann"));
            assert!(wait > last, "{wait:?} after {last:?}");
            last = wait;
        }
        assert_eq!(passwords.turn(&key("bob")), Duration::ZERO);
        assert_eq!(delay(1), FIRST_DELAY);
        assert_eq!(delay(100), LONGEST_DELAY);
    }
}
