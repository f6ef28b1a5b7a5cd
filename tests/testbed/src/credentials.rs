//! Who may ask the API server what: tokens, the key that signs service accounts, kubeconfigs. All
//! of it is made anew for each control plane and lies in its private folder.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use crate::Error;

/// One user of the API server.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
    token: String,
}

impl User {
    pub(crate) fn new(name: &str, groups: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            token: random_token(),
        }
    }

    /// A service account, as the API server sees one that presents its token.
    pub(crate) fn service_account(namespace: &str, name: &str) -> Self {
        let user = format!("system:serviceaccount:{namespace}:{name}");
        let of_namespace = format!("system:serviceaccounts:{namespace}");
        Self::new(&user, &["system:serviceaccounts", &of_namespace])
    }

    /// Writes the kubeconfig with which this user asks `server`, whose certificate is in
    /// `authority`.
    pub(crate) fn write_kubeconfig(
        &self,
        path: &Path,
        server: &str,
        authority: &Path,
    ) -> Result<(), Error> {
        let Self { name, token, .. } = self;
        let authority = authority.display();
        let text = format!(
            "\
apiVersion: v1
kind: Config
current-context: testbed
contexts:
- name: testbed
  context: {{cluster: testbed, user: '{name}'}}
clusters:
- name: testbed
  cluster: {{server: '{server}', certificate-authority: '{authority}'}}
users:
- name: '{name}'
  user: {{token: '{token}'}}
"
        );
        fs::write(path, text).map_err(Error::file("write", path))
    }
}

/// Writes the API server's `--token-auth-file`.
pub(crate) fn write_tokens(path: &Path, users: &[&User]) -> Result<(), Error> {
    let mut lines = String::new();
    for User {
        name,
        groups,
        token,
    } in users
    {
        let groups = groups.join(",");
        writeln!(lines, "{token},{name},{name},\"{groups}\"").expect("a String takes everything");
    }
    fs::write(path, lines).map_err(Error::file("write", path))
}

/// The key pair with which the API server signs service account tokens and checks them.
pub(crate) struct SigningKey {
    pub(crate) private: PathBuf,
    pub(crate) public: PathBuf,
}

impl SigningKey {
    /// Makes a new pair in `folder`.
    pub(crate) fn write(folder: &Path) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let private =
            EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("the system has randomness");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref(), &random)
            .expect("what was just made can be read");
        let public = [P256_PUBLIC_KEY, pair.public_key().as_ref()].concat();
        Ok(Self {
            private: write_pem(
                folder.join("service-account.key"),
                "PRIVATE KEY",
                private.as_ref(),
            )?,
            public: write_pem(folder.join("service-account.pub"), "PUBLIC KEY", &public)?,
        })
    }
}

/// What comes before the point in the DER form of a P-256 public key (RFC 5480, section 2): the API
/// server reads no public key from a private one in PKCS #8 form.
const P256_PUBLIC_KEY: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

fn write_pem(path: PathBuf, tag: &str, content: &[u8]) -> Result<PathBuf, Error> {
    fs::write(&path, pem::encode(&pem::Pem::new(tag, content)))
        .map_err(Error::file("write", &path))?;
    Ok(path)
}

fn random_token() -> String {
    let mut bytes = [0_u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has randomness");
    format!("{:032x}", u128::from_be_bytes(bytes))
}
