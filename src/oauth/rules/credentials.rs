//! How the application proves itself: which secrets and certificates fit (PROTOCOL.md A.10).

use super::{LoadedCertificate, Rules, is_printable};
use crate::error::Result;
use crate::oauth::assertion::{Algorithm, Signer, Unfit};
use crate::oauth::credential::Credential;
use crate::oauth::profile::Defaults;
use crate::oauth::provider::ClientAuthentication;
use crate::secret::Secret;

impl Rules<'_> {
    /// How a secret is sent.
    pub(super) fn client_authentication(&self, defaults: &Defaults) -> Result<ClientAuthentication> {
        let given = &self.config.client_authentication;
        if given.as_deref() == Some(PRIVATE_KEY_JWT) && self.config.certificates.is_empty() {
            return self.broken(
                "client_authentication",
                "private_key_jwt needs certificate_file and private_key_file",
            );
        }
        self.choice(
            "client_authentication",
            given,
            defaults.client_authentication,
            &[
                ("post", ClientAuthentication::SecretPost),
                ("basic", ClientAuthentication::SecretBasic),
                ("client_secret_post", ClientAuthentication::SecretPost),
                ("client_secret_basic", ClientAuthentication::SecretBasic),
                // Of a secret to fall back on it says nothing.
                (PRIVATE_KEY_JWT, defaults.client_authentication),
            ],
        )
    }

    /// Certificates first: whoever has both is on his way to them.
    pub(super) fn credentials(
        &self,
        certificates: Vec<LoadedCertificate>,
        secrets: Vec<Secret>,
    ) -> Result<std::sync::Arc<[Credential]>> {
        if certificates.is_empty() && secrets.is_empty() {
            return self.broken(
                "client_secret_files",
                "must name at least one file with the client secret, or name a certificate_file",
            );
        }
        let algorithm = self.choice(
            "assertion_algorithm",
            &self.config.assertion_algorithm,
            Algorithm::Ps256,
            &[("PS256", Algorithm::Ps256), ("RS256", Algorithm::Rs256)],
        )?;
        let mut credentials = Vec::with_capacity(certificates.len() + secrets.len());
        for (at, loaded) in certificates.iter().enumerate() {
            let signer = Signer::new(&loaded.certificate, &loaded.private_key, algorithm);
            credentials.push(Credential::Certificate(signer.or_else(|why| self.unfit(at, why))?));
        }
        for (at, secret) in secrets.into_iter().enumerate() {
            credentials.push(Credential::Secret(self.secret(at, secret)?));
        }
        Ok(credentials.into())
    }

    fn unfit(&self, at: usize, why: Unfit) -> Result<Signer> {
        let member = |name: &str| format!("certificates[{at}].{name}");
        match why {
            Unfit::Key => self.broken(
                &member("private_key_file"),
                "must hold an RSA key of at least 2048 bits, PKCS #8 or PKCS #1, not encrypted",
            ),
            Unfit::Certificate => {
                self.broken(&member("certificate_file"), "the first certificate of the file cannot be read")
            }
            Unfit::Pair => self.broken(
                &member("certificate_file"),
                "the certificate belongs to another private key than the one in private_key_file; both must come \
                 from the same pair, and the certificate must stand first in its file",
            ),
        }
    }

    fn secret(&self, at: usize, secret: Secret) -> Result<Secret> {
        if secret.is_empty() {
            return self.broken(&format!("client_secret_files[{at}]"), "the file is empty");
        }
        if !is_printable(secret.expose()) {
            return self.broken(
                &format!("client_secret_files[{at}]"),
                "the file must hold one line of printable ASCII: the secret's value",
            );
        }
        Ok(secret)
    }
}

const PRIVATE_KEY_JWT: &str = "private_key_jwt";
