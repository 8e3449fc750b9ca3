//! What is shown and believed where a server is talked to over TLS.

use redis::{Client, ConnectionInfo, RedisResult};

/// What there is in each file with a certificate.
#[cfg(feature = "tls")]
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Certificates other than those of the machine.
#[derive(Clone, Default)]
pub(crate) struct Certificates {
    #[cfg(feature = "tls")]
    pub(crate) authority: Option<Vec<u8>>,
    #[cfg(feature = "tls")]
    pub(crate) own: Option<(Vec<u8>, Vec<u8>)>,
}

impl Certificates {
    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unused_self, reason = "with the feature `tls` there are some")]
    pub(crate) fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        Client::open(info)
    }

    #[cfg(feature = "tls")]
    pub(crate) fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        use redis::{ClientTlsConfig, ConnectionAddr, TlsCertificates};

        if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            return Client::open(info);
        }
        // Without one, the first connection would be a panic. That another was installed meanwhile is as good.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        if self.authority.is_none() && self.own.is_none() {
            return Client::open(info);
        }
        let is_pem = |pem: &Vec<u8>| pem.windows(PEM.len()).any(|part| part == PEM);
        let own = self.own.as_ref().map(|(certificate, _)| certificate);
        if !self.authority.iter().chain(own).all(is_pem) {
            let no_pem = "what is given as a certificate is none in PEM";
            return Err((redis::ErrorKind::InvalidClientConfig, no_pem).into());
        }
        let client_tls = self.own.clone().map(|(client_cert, client_key)| ClientTlsConfig {
            client_cert,
            client_key,
        });
        let root_cert = self.authority.clone();
        Client::build_with_tls(
            info,
            TlsCertificates {
                client_tls,
                root_cert,
            },
        )
    }
}
