//! Signatures of components: detached, beside the file, by a key that the operator trusts.
//!
//! `auth.wasm.sig` holds the signature of `auth.wasm` as it is or in base64: Ed25519 (RFC 8032) of the file, or ECDSA on P-256
//! with SHA-256 in DER (X9.62), which is what `cosign sign-blob --key` writes. Keys are public keys in PEM (RFC 7468, section 13).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};

/// What a signature's file is called beyond the component's name.
pub const EXTENSION: &str = "sig";
/// The start of a SubjectPublicKeyInfo with Ed25519 (RFC 8410, section 4), before its 32 bytes.
const ED25519_INFO: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The same with a point on P-256 (RFC 5480, section 2), before its 65 bytes.
const P256_INFO: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An Ed25519 signature's length, and about that of one in DER.
const RAW: std::ops::RangeInclusive<usize> = 64..=72;

/// Why a signature is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error("it is not signed: there is no file {0}, and signatures are required")]
    Missing(String),
    /// It is not base64, nor of the length of one.
    #[error("its signature is neither base64 nor as long as one of Ed25519 or ECDSA P-256")]
    Malformed,
    /// No trusted key has made it.
    #[error("its signature is of none of the {0} keys that are trusted, or of another file")]
    Untrusted(usize),
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not PEM of a public key.
    #[error("it holds no `-----BEGIN PUBLIC KEY-----`")]
    NotAPublicKey,
    /// It is of another algorithm.
    #[error("it is not a key of Ed25519 or ECDSA P-256")]
    OtherAlgorithm,
}

/// A key that the operator trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The file it came from, for people.
    pub file: PathBuf,
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Ed25519,
    EcdsaP256,
}

impl Key {
    /// Reads the first public key of a PEM file.
    ///
    /// # Errors
    /// When there is none, or of another algorithm.
    pub fn parse(file: &Path, pem: &[u8]) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(pem).map_err(|_| KeyError::NotAPublicKey)?;
        let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----").ok_or(KeyError::NotAPublicKey)?;
        let (inner, _) = rest.split_once("-----END PUBLIC KEY-----").ok_or(KeyError::NotAPublicKey)?;
        let info = STANDARD.decode(unspaced(inner)).map_err(|_| KeyError::NotAPublicKey)?;
        let key = |algorithm, bytes: &[u8]| Self { file: file.to_owned(), algorithm, bytes: bytes.to_vec() };
        if let Some(bytes) = info.strip_prefix(&ED25519_INFO).filter(|bytes| bytes.len() == 32) {
            return Ok(key(Algorithm::Ed25519, bytes));
        }
        let point = info.strip_prefix(&P256_INFO).filter(|bytes| bytes.len() == 65);
        point.map(|bytes| key(Algorithm::EcdsaP256, bytes)).ok_or(KeyError::OtherAlgorithm)
    }

    fn has_signed(&self, content: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match self.algorithm {
            Algorithm::Ed25519 => &ED25519,
            Algorithm::EcdsaP256 => &ECDSA_P256_SHA256_ASN1,
        };
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(content, signature).is_ok()
    }
}

/// The key that has signed this content.
///
/// # Errors
/// When the signature is none, or of none of the keys.
pub fn verify<'k>(keys: &'k [Key], content: &[u8], signature: &[u8]) -> Result<&'k Key, SignatureError> {
    let decoded = std::str::from_utf8(signature).ok().and_then(|text| STANDARD.decode(unspaced(text)).ok());
    let raw = Some(signature).filter(|raw| RAW.contains(&raw.len()));
    let candidates = [decoded.as_deref(), raw];
    if candidates.iter().all(Option::is_none) {
        return Err(SignatureError::Malformed);
    }
    let mut candidates = candidates.into_iter().flatten();
    let by = candidates.find_map(|signature| keys.iter().find(|key| key.has_signed(content, signature)));
    by.ok_or(SignatureError::Untrusted(keys.len()))
}

fn unspaced(text: &str) -> String {
    text.chars().filter(|character| !character.is_ascii_whitespace()).collect()
}

/// Where a component's signature is.
pub fn beside(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(".");
    name.push(EXTENSION);
    name.into()
}

#[cfg(test)]
pub(crate) mod testing {
    //! Keys and signatures for tests.
    use super::*;
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

    fn pem(info: &[u8]) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(info))
    }

    /// A key's PEM, and its signature of the content.
    pub(crate) fn ed25519(content: &[u8]) -> (String, Vec<u8>) {
        let pair = Ed25519KeyPair::generate().unwrap();
        let info: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        (pem(info.as_ref()), pair.sign(content).as_ref().to_vec())
    }

    /// The same, as cosign does it.
    pub(crate) fn ecdsa(content: &[u8]) -> (String, Vec<u8>) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let info: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        (pem(info.as_ref()), pair.sign(&SystemRandom::new(), content).unwrap().as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{ecdsa, ed25519};
    use super::*;

    fn key(name: &str, pem: &str) -> Key {
        Key::parse(Path::new(name), pem.as_bytes()).unwrap()
    }

    #[test]
    fn both_algorithms_are_taken_raw_and_in_base64() {
        for (name, (pem, signature)) in [("ed25519", ed25519(b"filter")), ("ecdsa", ecdsa(b"filter"))] {
            let (other, _) = ed25519(b"");
            let keys = [key("other", &other), key(name, &pem)];
            let text = STANDARD.encode(&signature) + "\n";
            for given in [signature.as_slice(), text.as_bytes()] {
                assert_eq!(verify(&keys, b"filter", given).unwrap().file, Path::new(name));
            }
        }
    }

    #[test]
    fn another_file_another_key_and_a_damaged_signature_are_refused() {
        for (pem, mut signature) in [ed25519(b"filter"), ecdsa(b"filter")] {
            let keys = [key("a", &pem)];
            assert_eq!(verify(&keys, b"filter2", &signature).unwrap_err(), SignatureError::Untrusted(1));
            assert_eq!(verify(&[], b"filter", &signature).unwrap_err(), SignatureError::Untrusted(0));
            let last = signature.len() - 1;
            signature[last] ^= 1;
            assert_eq!(verify(&keys, b"filter", &signature).unwrap_err(), SignatureError::Untrusted(1));
        }
        assert_eq!(verify(&[], b"filter", &[0xff; 10]).unwrap_err(), SignatureError::Malformed);
    }

    #[test]
    fn a_key_of_another_kind_is_none() {
        let parse = |pem: &str| Key::parse(Path::new("a.pem"), pem.as_bytes()).unwrap_err();
        assert_eq!(parse("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"), KeyError::NotAPublicKey);
        assert_eq!(parse("-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----"), KeyError::NotAPublicKey);
        assert_eq!(parse("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"), KeyError::OtherAlgorithm);
    }

    #[test]
    fn a_signature_lies_beside_its_file() {
        assert_eq!(beside(Path::new("filters/auth.wasm")), Path::new("filters/auth.wasm.sig"));
    }
}
