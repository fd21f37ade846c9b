//! Certificates of ours and of others. TLS 1.2 and 1.3 only; the cryptography is named, never taken from a global.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::CertificateFiles;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Certificate and key are not usable, or do not belong together.
    #[error("cannot use the certificate {}", path.display())]
    Use {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// TLS is to be listened on, and there is no certificate.
    #[error("TLS needs a certificate and its key")]
    NoCertificate,
    /// The versions of TLS do not fit the cryptography.
    #[error("cannot set up TLS")]
    SetUp(#[source] rustls::Error),
}

/// Answers TLS handshakes with the certificate of the host that is asked for.
pub(super) fn acceptor(files: &[CertificateFiles]) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let keys = files.iter().map(|files| Ok((files.name.clone(), load(files, &provider)?)));
    let keys = keys.collect::<Result<Vec<_>, TlsError>>()?;
    if keys.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::SetUp)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName { keys }));
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Makes TLS connections to hosts that the system, or these authorities, vouch for.
pub(super) fn connector(authorities: Option<&Path>) -> Result<TlsConnector, TlsError> {
    let mut roots = RootCertStore::empty();
    // A machine without roots can still call nobody by TLS; it must not fail to start.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = authorities {
        roots.add_parsable_certificates(read_certificates(path)?);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::SetUp)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn load(files: &CertificateFiles, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = read_certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|source| TlsError::Read { path: files.key.clone(), source })?;
    let key = CertifiedKey::from_der(chain, key, provider)
        .map_err(|source| TlsError::Use { path: files.certificate.clone(), source })?;
    Ok(Arc::new(key))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

/// Certificates by host name. The first one serves who names no host, or one that has none.
#[derive(Debug)]
struct ByName {
    keys: Vec<(Option<String>, Arc<CertifiedKey>)>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name();
        let named = self
            .keys
            .iter()
            .find(|(name, _)| name.as_deref().zip(asked).is_some_and(|(name, asked)| name.eq_ignore_ascii_case(asked)));
        named.or(self.keys.first()).map(|(_, key)| key.clone())
    }
}
