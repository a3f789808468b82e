//! The cryptography of Web Push: content for one browser (RFC 8291 over RFC 8188), and the proof of
//! the sender (RFC 8292).

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use troupe_core::record::PushKey;

/// Of an uncompressed point of P-256.
pub const POINT_BYTES: usize = 65;
pub const AUTH_BYTES: usize = 16;
const SALT_BYTES: usize = 16;
/// One record holds the whole content, so its size is that of the largest one that push services
/// take.
const RECORD_BYTES: u32 = 4_096;
/// The end of the last record.
const LAST: u8 = 2;
/// A token is for an hour at most as a rule, and for less than a day in any case.
const TOKEN_SECONDS: u64 = 12 * 3_600;

/// For the cluster. `None`: the library has no randomness.
pub fn fresh_key() -> Option<PushKey> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).ok()?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).ok()?;
    let private = URL_SAFE_NO_PAD.encode(document.as_ref());
    Some(PushKey { private, public: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()) })
}

/// The value of `Authorization` for a push service, which is the origin `audience`.
pub fn authorization(key: &PushKey, audience: &str, subject: &str, now_seconds: u64) -> Option<String> {
    let pair = URL_SAFE_NO_PAD.decode(&key.private).ok()?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair).ok()?;
    let header = URL_SAFE_NO_PAD.encode(br#"{"typ":"JWT","alg":"ES256"}"#);
    let claims = serde_json::json!({ "aud": audience, "exp": now_seconds + TOKEN_SECONDS, "sub": subject });
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
    Some(format!("vapid t={signed}.{}, k={}", URL_SAFE_NO_PAD.encode(signature.as_ref()), key.public))
}

/// The body of a push. `None`: the keys are none.
pub fn encrypt(browser: &[u8], auth: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let mut salt = [0; SALT_BYTES];
    fill(&mut salt).ok()?;
    seal(&PrivateKey::generate(&ECDH_P256).ok()?, salt, browser, auth, plain)
}

/// Whether a content can be made for these keys.
pub fn reads(browser: &[u8], auth: &[u8]) -> bool {
    browser.len() == POINT_BYTES && auth.len() == AUTH_BYTES && encrypt(browser, auth, b"").is_some()
}

fn seal(own: &PrivateKey, salt: [u8; SALT_BYTES], browser: &[u8], auth: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let public = own.compute_public_key().ok()?;
    let public: &[u8] = public.as_ref();
    let shared = UnparsedPublicKey::new(&ECDH_P256, browser);
    let material = agree(own, shared, (), |secret| {
        let info = [b"WebPush: info\0".as_slice(), browser, public];
        part::<32>(&Salt::new(HKDF_SHA256, auth).extract(secret), &info).ok_or(())
    });
    let (key, nonce) = keys(&salt, &material.ok()?)?;
    let mut content = Vec::with_capacity(plain.len() + 1 + AES_128_GCM.tag_len());
    content.extend_from_slice(plain);
    content.push(LAST);
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut content).ok()?;
    let mut body = Vec::with_capacity(SALT_BYTES + 5 + public.len() + content.len());
    body.extend_from_slice(&salt);
    body.extend_from_slice(&RECORD_BYTES.to_be_bytes());
    body.push(u8::try_from(public.len()).ok()?);
    body.extend_from_slice(public);
    body.extend_from_slice(&content);
    Some(body)
}

/// Of the record.
fn keys(salt: &[u8], material: &[u8]) -> Option<([u8; 16], [u8; 12])> {
    let prk = Salt::new(HKDF_SHA256, salt).extract(material);
    let key = part::<16>(&prk, &[b"Content-Encoding: aes128gcm\0"])?;
    Some((key, part::<12>(&prk, &[b"Content-Encoding: nonce\0"])?))
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn part<const N: usize>(prk: &Prk, info: &[&[u8]]) -> Option<[u8; N]> {
    let mut out = [0; N];
    prk.expand(info, Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 8291, appendix A.
    #[test]
    fn the_example_of_the_standard_is_sealed_alike() {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
        let own = bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        let own = PrivateKey::from_private_key(&ECDH_P256, &own).expect("a key");
        let browser = bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        let salt: [u8; 16] = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().expect("16 bytes");
        let auth = bytes("BTBZMqHH6r4Tts7J_aSIgg");
        let sealed = seal(&own, salt, &browser, &auth, b"When I grow up, I want to be a watermelon").expect("sealed");
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz\
                        AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(URL_SAFE_NO_PAD.encode(sealed), expected);
    }

    #[test]
    fn only_a_point_and_a_secret_are_keys() {
        let point = PrivateKey::generate(&ECDH_P256).expect("a key").compute_public_key().expect("a point");
        assert!(reads(point.as_ref(), &[7; 16]));
        assert!(!reads(point.as_ref(), &[7; 15]));
        assert!(!reads(&[4; 65], &[7; 16]), "not on the curve");
        assert!(!reads(&[], &[7; 16]));
    }
}
