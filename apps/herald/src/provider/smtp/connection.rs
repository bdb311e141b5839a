//! New connections to the relay: TCP, EHLO, STARTTLS, AUTH.

use std::{fmt, fs, io, path::PathBuf};

use lettre::transport::smtp::{
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::{AsyncSmtpConnection, Certificate, TlsParameters},
    extension::ClientId,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;

use super::{
    classify::{Step, Trouble, classify},
    patience::Patience,
    settings::{Settings, Tls},
};
use crate::provider::Answer;

/// Why a relay cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("smtp.username and smtp.password are given together or not at all")]
    HalfCredentials,
    #[error("cannot read smtp.ca_file {}: {source}", path.display())]
    UnreadableAuthority { path: PathBuf, source: io::Error },
    #[error("smtp.ca_file or smtp.host does not fit TLS: {0}")]
    Tls(#[from] lettre::transport::smtp::Error),
}

/// What is needed to connect.
pub(super) struct Connector {
    host: String,
    port: u16,
    hello: ClientId,
    tls: Option<TlsParameters>,
    tls_required: bool,
    login: Option<Login>,
}

struct Login {
    username: String,
    password: SecretString,
}

impl Connector {
    pub(super) fn new(settings: &Settings) -> Result<Self, Unusable> {
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            hello: ClientId::Domain(settings.hello.clone()),
            tls: tls_parameters(settings)?,
            tls_required: settings.tls == Tls::Required,
            login: login(settings)?,
        })
    }

    /// A connection that is ready for a mail; else what the failure means for the mail that waits for it.
    pub(super) async fn connect(&self, patience: &Patience) -> Result<AsyncSmtpConnection, Answer> {
        let named = |trouble: Trouble| trouble.at(&self.host, self.port);
        self.establish(patience).await.map_err(|trouble| classify(Step::Greeting, &named(trouble)))
    }

    async fn establish(&self, patience: &Patience) -> Result<AsyncSmtpConnection, Trouble> {
        let stream = patience.connect(TcpStream::connect((self.host.as_str(), self.port))).await??;
        // A message and its final dot are two writes. Nagle's algorithm would hold back the second until the
        // first is acknowledged, which a relay may delay by 40 ms.
        stream.set_nodelay(true)?;
        let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello);
        let mut connection = patience.command(greeting).await??;
        self.encrypt(&mut connection, patience).await?;
        self.log_in(&mut connection, patience).await?;
        Ok(connection)
    }

    async fn encrypt(
        &self,
        connection: &mut AsyncSmtpConnection,
        patience: &Patience,
    ) -> Result<(), Trouble> {
        match &self.tls {
            Some(tls) if connection.can_starttls() => {
                Ok(patience.command(connection.starttls(tls.clone(), &self.hello)).await??)
            }
            Some(_) if self.tls_required => Err(Trouble::Unfit("the relay offers no STARTTLS".to_owned())),
            _ => Ok(()),
        }
    }

    async fn log_in(&self, connection: &mut AsyncSmtpConnection, patience: &Patience) -> Result<(), Trouble> {
        let Some(login) = &self.login else { return Ok(()) };
        if self.tls.is_some() && !connection.is_encrypted() {
            return Err(Trouble::Unfit(
                "no password is sent without TLS unless smtp.tls is \"none\"".to_owned(),
            ));
        }
        let password = login.password.expose_secret().to_owned();
        let credentials = Credentials::new(login.username.clone(), password);
        patience.command(connection.auth(DEFAULT_MECHANISMS, &credentials)).await??;
        Ok(())
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connector")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

fn login(settings: &Settings) -> Result<Option<Login>, Unusable> {
    match (&settings.username, &settings.password) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => {
            Ok(Some(Login { username: username.clone(), password: password.clone() }))
        }
        _ => Err(Unusable::HalfCredentials),
    }
}

fn tls_parameters(settings: &Settings) -> Result<Option<TlsParameters>, Unusable> {
    if settings.tls == Tls::None {
        return Ok(None);
    }
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let pem =
            fs::read(path).map_err(|source| Unusable::UnreadableAuthority { path: path.clone(), source })?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem)?);
    }
    Ok(Some(builder.build()?))
}
