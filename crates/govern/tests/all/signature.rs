//! Signatures: our own, OpenSSH's, tokens' and hostile ones.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::histories::world::{Touched, public, revision, sign};
use solvent_base::Digest;
use solvent_govern::signature::{Key, SignatureError, SoftwareKey, verify};
use solvent_protocol::approval::{ApprovalStatement, NAMESPACE, Presence, Verdict};
use solvent_protocol::change::RiskClass;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

fn bytes() -> Vec<u8> {
    let statement = ApprovalStatement {
        verdict: Verdict::Approve,
        change: "c-1".to_owned(),
        approver: "ben".to_owned(),
        risk: RiskClass::Medium,
        revision: revision(0),
        policy: Digest::of(b"policy"),
        expires_ms: 1_795_919_652_000,
    };
    statement.to_bytes().unwrap()
}

fn software() -> SoftwareKey {
    SoftwareKey::from_seed(&[42; 32])
}

#[test]
fn a_software_key_signs_and_shows_no_presence() {
    let key = software();
    let signature = key.sign(&bytes()).unwrap();
    assert_eq!(
        verify(&bytes(), &signature, &key.public()),
        Ok(Presence::NotShown)
    );
    assert_eq!(key.sign(&bytes()).unwrap(), signature);
    let again = SoftwareKey::parse(&key.to_openssh().unwrap()).unwrap();
    assert_eq!(again.sign(&bytes()).unwrap(), signature);
    assert_eq!(format!("{key:?}"), "SoftwareKey(..)");
}

#[test]
fn a_touched_token_shows_presence_and_an_untouched_one_does_not() {
    let token = Key::parse(&public(1)).unwrap();
    assert!(token.is_token());
    for (touched, presence) in [
        (Touched::Yes, Presence::Shown),
        (Touched::No, Presence::NotShown),
    ] {
        let signature = sign(1, &bytes(), touched);
        assert_eq!(verify(&bytes(), &signature, &token), Ok(presence));
    }
}

/// The flags are inside what is signed: setting the bit afterwards breaks the signature.
#[test]
fn presence_cannot_be_added_to_a_signature() {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let token = Key::parse(&public(1)).unwrap();
    let armoured = sign(1, &bytes(), Touched::No);
    let body: String = armoured
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let mut raw = engine.decode(body).unwrap();
    let flags = raw.len() - 5;
    assert_eq!(raw[flags], 0);
    raw[flags] = 1;
    let encoded = engine.encode(raw);
    let lines: Vec<String> = encoded
        .as_bytes()
        .chunks(70)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let forged = format!(
        "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
        lines.join("\n")
    );
    assert_eq!(
        verify(&bytes(), &forged, &token),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn every_changed_byte_breaks_the_signature() {
    let key = software();
    let signature = key.sign(&bytes()).unwrap();
    for at in 0..bytes().len() {
        let mut changed = bytes();
        changed[at] ^= 1;
        assert_eq!(
            verify(&changed, &signature, &key.public()),
            Err(SignatureError::Mismatch)
        );
    }
    for at in 0..signature.len() {
        let mut changed = signature.clone().into_bytes();
        changed[at] ^= 1;
        if let Ok(changed) = String::from_utf8(changed) {
            let verdict = verify(&bytes(), &changed, &key.public());
            assert!(verdict.is_err(), "byte {at} does not matter");
        }
    }
}

#[test]
fn another_purpose_another_key_and_nonsense_are_told_apart() {
    let key = software();
    let private = PrivateKey::from_openssh(key.to_openssh().unwrap()).unwrap();
    let for_files = private
        .sign("file", HashAlg::Sha512, &bytes())
        .and_then(|signature| signature.to_pem(LineEnding::LF))
        .unwrap();
    assert_eq!(
        verify(&bytes(), &for_files, &key.public()),
        Err(SignatureError::Namespace("file".to_owned()))
    );
    let other = SoftwareKey::from_seed(&[43; 32]);
    let print = other.public().fingerprint();
    assert!(print.starts_with("SHA256:"), "{print}");
    assert_eq!(
        verify(&bytes(), &other.sign(&bytes()).unwrap(), &key.public()),
        Err(SignatureError::OtherKey(print))
    );
    for nonsense in [
        "",
        "yes",
        "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
    ] {
        assert!(matches!(
            verify(&bytes(), nonsense, &key.public()),
            Err(SignatureError::Malformed(_))
        ));
    }
    assert!(matches!(
        verify(&bytes(), &"A".repeat(5_000), &key.public()),
        Err(SignatureError::Malformed(_))
    ));
}

#[test]
fn keys_that_cannot_be_trusted_are_refused_with_words() {
    use base64::Engine as _;
    // The identity point: with it as the public key, one signature fits every message.
    let weak = |sort: &str, point: [u8; 32], tail: &[u8]| {
        let mut blob = Vec::new();
        for part in [sort.as_bytes(), &point] {
            blob.extend((part.len() as u32).to_be_bytes());
            blob.extend(part);
        }
        blob.extend(tail);
        let encoded = base64::engine::general_purpose::STANDARD.encode(blob);
        format!("{sort} {encoded}")
    };
    let mut identity = [0; 32];
    identity[0] = 1;
    let application = |name: &str| {
        let mut tail = (name.len() as u32).to_be_bytes().to_vec();
        tail.extend(name.as_bytes());
        tail
    };
    let token = "sk-ssh-ed25519@openssh.com";
    let good = software().public().text();
    let point = |text: &str| {
        let body = text.split(' ').nth(1).unwrap();
        let raw = base64::engine::general_purpose::STANDARD
            .decode(body)
            .unwrap();
        <[u8; 32]>::try_from(&raw[raw.len() - 32..]).unwrap()
    };
    for (text, word) in [
        (weak("ssh-ed25519", identity, b""), "weak"),
        (weak("ssh-ed25519", [0; 32], b""), "weak"),
        (weak(token, identity, &application("ssh:")), "weak"),
        (
            weak(token, point(&good), &application("https://example.org")),
            "not made for SSH",
        ),
        (
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7".to_owned(),
            "not a public key",
        ),
        ("ssh-ed25519".to_owned(), "not a public key"),
        (
            format!("ssh-rsa {}", good.split(' ').nth(1).unwrap()),
            "not a public key",
        ),
        ("k".repeat(2_000), "over the cap"),
    ] {
        let refused = Key::parse(&text).unwrap_err();
        assert!(refused.contains(word), "{text}: {refused}");
    }
    assert!(Key::parse(&weak(token, point(&good), &application("ssh:work"))).is_ok());
    assert_eq!(
        Key::parse(&format!("{good} ben@laptop")).unwrap().text(),
        good
    );
}

fn keygen(arguments: &[&str], folder: &Path, input: &[u8]) -> Option<(bool, String)> {
    let mut child = Command::new("ssh-keygen")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    // A child that refuses early closes its input; its exit code says so.
    let _ = child.stdin.take()?.write_all(input);
    let output = child.wait_with_output().ok()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Some((output.status.success(), words))
}

/// Says what could not be tried here, past the test harness.
fn unmeasured(what: &str) {
    let line = format!("unmeasured: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

#[test]
fn openssh_signs_what_we_verify_and_verifies_what_we_sign() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("statement"), bytes()).unwrap();
    for (sort, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384")] {
        let name = format!("{sort}{bits}");
        let made = keygen(
            &[
                "-q", "-t", sort, "-b", bits, "-N", "", "-C", "test", "-f", &name,
            ],
            folder,
            b"",
        );
        let Some((true, _)) = made else {
            unmeasured(
                "SSH signatures against OpenSSH's own: `ssh-keygen` is not installed or makes no keys",
            );
            return;
        };
        let sign = [
            "-Y",
            "sign",
            "-q",
            "-n",
            NAMESPACE,
            "-f",
            &name,
            "statement",
        ];
        let (signed, words) = keygen(&sign, folder, b"").unwrap();
        assert!(signed, "{words}");
        let theirs = fs::read_to_string(folder.join("statement.sig")).unwrap();
        fs::remove_file(folder.join("statement.sig")).unwrap();
        let key =
            Key::parse(&fs::read_to_string(folder.join(format!("{name}.pub"))).unwrap()).unwrap();
        assert_eq!(verify(&bytes(), &theirs, &key), Ok(Presence::NotShown));

        let private = fs::read_to_string(folder.join(&name)).unwrap();
        let own = SoftwareKey::parse(&private).unwrap();
        assert_eq!(own.public(), key);
        let ours = own.sign(&bytes()).unwrap();
        if sort == "ed25519" {
            assert_eq!(ours, theirs, "ed25519 leaves no choice");
        }
        accepted_by_openssh(folder, &key.text(), &ours);
    }
    // What our key makes is a key file to OpenSSH as well.
    let private = folder.join("seeded");
    fs::write(&private, software().to_openssh().unwrap()).unwrap();
    #[cfg(unix)]
    fs::set_permissions(
        &private,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let sign = [
        "-Y",
        "sign",
        "-q",
        "-n",
        NAMESPACE,
        "-f",
        "seeded",
        "statement",
    ];
    let (signed, words) = keygen(&sign, folder, b"").unwrap();
    assert!(signed, "{words}");
    assert_eq!(
        fs::read_to_string(folder.join("statement.sig")).unwrap(),
        software().sign(&bytes()).unwrap()
    );
    // The token that these tests play signs as real ones do.
    accepted_by_openssh(folder, &public(1), &sign_touched());
    // A passphrase is not asked for: the person signs by hand.
    let made = keygen(
        &[
            "-q",
            "-t",
            "ed25519",
            "-N",
            "secret words",
            "-C",
            "",
            "-f",
            "locked",
        ],
        folder,
        b"",
    );
    assert!(made.unwrap().0);
    let locked = fs::read_to_string(folder.join("locked")).unwrap();
    let refused = SoftwareKey::parse(&locked).unwrap_err();
    assert!(
        refused.contains("passphrase") && refused.contains("ssh-keygen -Y sign"),
        "{refused}"
    );
    // RSA is refused in words, not misread.
    let made = keygen(
        &[
            "-q", "-t", "rsa", "-b", "2048", "-N", "", "-C", "", "-f", "rsa",
        ],
        folder,
        b"",
    );
    assert!(made.unwrap().0);
    let refused = Key::parse(&fs::read_to_string(folder.join("rsa.pub")).unwrap()).unwrap_err();
    assert!(refused.contains("ssh-keygen -t ed25519-sk"), "{refused}");
}

fn sign_touched() -> String {
    sign(1, &bytes(), Touched::Yes)
}

fn accepted_by_openssh(folder: &Path, key: &str, signature: &str) {
    fs::write(folder.join("allowed"), format!("ben {key}\n")).unwrap();
    fs::write(folder.join("ours.sig"), signature).unwrap();
    let check = [
        "-Y", "verify", "-f", "allowed", "-I", "ben", "-n", NAMESPACE, "-s", "ours.sig",
    ];
    let (accepted, words) = keygen(&check, folder, &bytes()).unwrap();
    assert!(accepted, "{key}: {words}");
    let mut other = bytes();
    other[30] ^= 1;
    let (accepted, _) = keygen(&check, folder, &other).unwrap();
    assert!(!accepted, "OpenSSH accepts other bytes");
}
