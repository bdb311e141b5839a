//! New connections to the relay: TCP, EHLO, STARTTLS, AUTH.

use std::{fmt, fs, io, net, path::PathBuf};

use lettre::transport::smtp::{
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::{AsyncSmtpConnection, Certificate, TlsParameters},
    commands::Starttls,
    extension::ClientId,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;

use super::{
    classify::{Step, Trouble, classify},
    patience::Patience,
    settings::{Settings, Tls},
    wire::Wire,
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
        let mut connection = match &self.tls {
            None => self.greet(Wire::plain(stream), patience).await?,
            Some(tls) => self.encrypt(stream, tls, patience).await?,
        };
        self.log_in(&mut connection, patience).await?;
        Ok(connection)
    }

    /// Reads the greeting and says EHLO.
    async fn greet(&self, wire: Wire, patience: &Patience) -> Result<AsyncSmtpConnection, Trouble> {
        let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &self.hello);
        Ok(patience.command(greeting).await??)
    }

    /// A connection over TLS; a plain one only where the settings allow it and no password would go over it.
    async fn encrypt(
        &self,
        stream: TcpStream,
        tls: &TlsParameters,
        patience: &Patience,
    ) -> Result<AsyncSmtpConnection, Trouble> {
        let (stream, same_stream) = twice(stream)?;
        let mut plain = self.greet(Wire::plain(stream), patience).await?;
        if plain.can_starttls() {
            patience.command(plain.command(Starttls)).await??;
            // With everything that was heard before the handshake: `wire` says why.
            drop(plain);
            let handshake = Wire::encrypted(TcpStream::from_std(same_stream)?, tls.clone());
            let wire = patience.command(handshake).await?.map_err(|error| Trouble::of_handshake(&error))?;
            return self.greet(wire, patience).await;
        }
        let unfit = |reason: &str| Err(Trouble::Unfit(reason.to_owned()));
        match (self.tls_required, &self.login) {
            (true, _) => unfit("the relay offers no STARTTLS"),
            (false, Some(_)) => unfit("no password is sent without TLS unless smtp.tls is \"none\""),
            (false, None) => Ok(plain),
        }
    }

    async fn log_in(&self, connection: &mut AsyncSmtpConnection, patience: &Patience) -> Result<(), Trouble> {
        let Some(login) = &self.login else { return Ok(()) };
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

/// Two handles of one connection, of which the second is not in use yet.
fn twice(stream: TcpStream) -> io::Result<(TcpStream, net::TcpStream)> {
    let stream = stream.into_std()?;
    let same_stream = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, same_stream))
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
