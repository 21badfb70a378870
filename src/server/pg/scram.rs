//! SCRAM-SHA-256 (RFC 5802, RFC 7677), with and without channel binding.
//!
//! A verifier is kept as PostgreSQL keeps it: `SCRAM-SHA-256$4096:salt$stored key:server key`. A user
//! who does not exist goes through the same exchange, over a salt that is always the same for the
//! name, so that nobody learns who exists.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pgwire::api::auth::sasl::scram::gen_salted_password;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};

use super::wire::malformed;
use crate::error::{Error, Result};

pub const PLAIN: &str = "SCRAM-SHA-256";
pub const BOUND: &str = "SCRAM-SHA-256-PLUS";

const ITERATIONS: u32 = 4_096;
const KEY: usize = digest::SHA256_OUTPUT_LEN;

/// What a password is checked against.
#[derive(Clone)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

/// The text of a verifier for a password, with a salt of its own.
pub fn verifier(password: &str) -> Result<String> {
    let salt = random::<16>()?;
    // By the rules of SASLprep, as clients do it.
    let salted = gen_salted_password(password, &salt, ITERATIONS as usize);
    let client_key = mac(&salted, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
    let server_key = mac(&salted, b"Server Key");
    Ok(format!(
        "{PLAIN}${ITERATIONS}:{}${}:{}",
        BASE64.encode(salt),
        BASE64.encode(stored_key),
        BASE64.encode(server_key)
    ))
}

impl Verifier {
    /// Reads a verifier; `None` where the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PLAIN)?.strip_prefix('$')?;
        let (head, keys) = rest.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let decode = |text: &str| BASE64.decode(text).ok();
        let verifier = Self {
            iterations: iterations.parse().ok()?,
            salt: decode(salt)?,
            stored_key: decode(stored_key)?,
            server_key: decode(server_key)?,
        };
        let keys = [&verifier.stored_key, &verifier.server_key];
        keys.iter().all(|key| key.len() == KEY).then_some(verifier)
    }

    /// Whether it is of this password, where the client has sent it.
    pub fn is_of(&self, password: &str) -> bool {
        let salted = gen_salted_password(password, &self.salt, self.iterations as usize);
        let client_key = mac(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        are_equal(stored_key.as_ref(), &self.stored_key)
    }

    /// A verifier that no password fits, for a user who does not exist.
    pub fn of_nobody(name: &str, secret: &[u8]) -> Self {
        let derive = |what: &str| {
            let text = format!("{what}\0{name}");
            mac(secret, text.as_bytes()).as_ref().to_vec()
        };
        let mut salt = derive("salt");
        salt.truncate(16);
        Self {
            iterations: ITERATIONS,
            salt,
            stored_key: derive("stored key"),
            server_key: derive("server key"),
        }
    }
}

/// The exchange with one client, after its first message.
pub struct Exchange {
    verifier: Verifier,
    /// The messages so far, which are signed.
    transcript: String,
    nonce: String,
    /// What the last message must repeat of the first, and of the channel.
    binding: Vec<u8>,
}

impl Exchange {
    /// Takes the client's first message; the exchange and the answer. `channel` is what the
    /// connection is bound to, where the client chose to bind it.
    pub fn begin(
        first: &str,
        verifier: Verifier,
        is_bound: bool,
        channel: Option<&[u8]>,
    ) -> Result<(Self, String)> {
        let wrong = || malformed("malformed SCRAM message");
        let mut parts = first.splitn(3, ',');
        let (Some(flag), Some(identity), Some(bare)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let header = format!("{flag},{identity},");
        let mut binding = header.into_bytes();
        match (flag, is_bound, channel) {
            ("n", false, _) | ("y", false, None) => {}
            ("p=tls-server-end-point", true, Some(channel)) => binding.extend_from_slice(channel),
            ("y", false, Some(_)) => {
                let message = "SCRAM channel binding negotiation error: the client supports channel \
                               binding and thinks the server does not, which it does";
                return Err(Error::session("28000", message));
            }
            _ => return Err(wrong()),
        }
        let nonce = bare
            .split(',')
            .find_map(|part| part.strip_prefix("r="))
            .filter(|nonce| !nonce.is_empty() && nonce.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or_else(wrong)?;
        // An extension that must be understood would come first.
        if bare.starts_with("m=") {
            return Err(Error::session(
                "0A000",
                "client requires an unsupported SCRAM extension",
            ));
        }
        let nonce = format!("{nonce}{}", BASE64.encode(random::<18>()?));
        let answer = format!(
            "r={nonce},s={},i={}",
            BASE64.encode(&verifier.salt),
            verifier.iterations
        );
        let transcript = format!("{bare},{answer}");
        let exchange = Self {
            verifier,
            transcript,
            nonce,
            binding,
        };
        Ok((exchange, answer))
    }

    /// Takes the client's last message: the answer that proves that the server knows the verifier, or
    /// `None` where the client has not proved that it knows the password.
    pub fn finish(self, last: &str) -> Result<Option<String>> {
        let wrong = || malformed("malformed SCRAM message");
        let (without_proof, proof) = last.rsplit_once(",p=").ok_or_else(wrong)?;
        let proof = BASE64.decode(proof).map_err(|_| wrong())?;
        let mut parts = without_proof.split(',');
        let binding = parts.next().and_then(|part| part.strip_prefix("c="));
        let binding = BASE64
            .decode(binding.ok_or_else(wrong)?)
            .map_err(|_| wrong())?;
        let nonce = parts.next().and_then(|part| part.strip_prefix("r="));
        if nonce != Some(self.nonce.as_str()) {
            return Err(wrong());
        }
        if binding != self.binding {
            let message = "SCRAM channel binding check failed";
            return Err(Error::session("28000", message));
        }
        let signed = format!("{},{without_proof}", self.transcript);
        let signature = mac(&self.verifier.stored_key, signed.as_bytes());
        if proof.len() != KEY {
            return Ok(None);
        }
        let pairs = proof.iter().zip(signature.as_ref());
        let client_key: Vec<u8> = pairs.map(|(a, b)| a ^ b).collect();
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        let is_known = are_equal(stored_key.as_ref(), &self.verifier.stored_key);
        Ok(is_known.then(|| {
            let signature = mac(&self.verifier.server_key, signed.as_bytes());
            format!("v={}", BASE64.encode(signature))
        }))
    }
}

/// Compares keys in the same time wherever they differ, by their signatures under a third.
pub fn are_equal(a: &[u8], b: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"compared");
    hmac::verify(&key, a, hmac::sign(&key, b).as_ref()).is_ok()
}

fn mac(key: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

/// Random bytes that nobody can guess.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::session("58000", "the machine gives no random numbers"))?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// The client's part, for a password.
    fn login(verifier: Verifier, password: &str) -> Result<Option<String>> {
        let (exchange, answer) = Exchange::begin("n,,n=,r=abc", verifier, false, None)?;
        let part = |name: &str| {
            let mut parts = answer.split(',');
            parts
                .find_map(|part| part.strip_prefix(name))
                .unwrap()
                .to_owned()
        };
        let salt = BASE64.decode(part("s=")).unwrap();
        let salted = gen_salted_password(password, &salt, part("i=").parse().unwrap());
        let client_key = mac(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, client_key.as_ref());
        let last = format!("c=biws,r={}", part("r="));
        let signature = mac(
            stored.as_ref(),
            format!("n=,r=abc,{answer},{last}").as_bytes(),
        );
        let proof = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(a, b)| a ^ b);
        let proof = BASE64.encode(proof.collect::<Vec<u8>>());
        exchange.finish(&format!("{last},p={proof}"))
    }

    #[test]
    fn the_right_password_is_let_in_and_no_other() {
        let text = verifier("correct horse").unwrap();
        assert!(text.starts_with("SCRAM-SHA-256$4096:"));
        let verifier = Verifier::parse(&text).unwrap();
        assert!(
            login(verifier.clone(), "correct horse")
                .unwrap()
                .unwrap()
                .starts_with("v=")
        );
        assert!(verifier.is_of("correct horse") && !verifier.is_of("wrong"));
        assert_eq!(login(verifier, "wrong").unwrap(), None);
        let nobody = Verifier::of_nobody("nobody", b"secret");
        assert_eq!(login(nobody, "").unwrap(), None);
    }

    #[test]
    fn a_user_who_does_not_exist_always_has_the_same_salt() {
        let salt = |name, secret: &[u8]| Verifier::of_nobody(name, secret).salt;
        assert_eq!(salt("a", b"1"), salt("a", b"1"));
        assert_ne!(salt("a", b"1"), salt("b", b"1"));
        assert_ne!(salt("a", b"1"), salt("a", b"2"));
    }

    #[test]
    fn what_is_no_verifier_is_refused() {
        for text in [
            "",
            "md5abc",
            "SCRAM-SHA-256$x:eA==$eA==:eA==",
            "SCRAM-SHA-256$4096:eA==$eA==:eA==",
        ] {
            assert!(Verifier::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_client_cannot_be_talked_out_of_binding() {
        let verifier = || Verifier::of_nobody("a", b"s");
        let begin = |first, is_bound, channel: Option<&[u8]>| {
            Exchange::begin(first, verifier(), is_bound, channel).map(|_| ())
        };
        assert!(begin("y,,n=,r=abc", false, Some(b"hash")).is_err());
        assert!(begin("y,,n=,r=abc", false, None).is_ok());
        assert!(begin("p=tls-server-end-point,,n=,r=abc", true, Some(b"hash")).is_ok());
        assert!(begin("p=tls-unique,,n=,r=abc", true, Some(b"hash")).is_err());
        assert!(begin("nonsense", false, None).is_err());
    }
}
