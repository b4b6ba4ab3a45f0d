//! E-mail over SMTP.

use std::time::Duration;

use callboard_notifications_domain::delivery::Outcome;
use callboard_service::BoxError;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{EmailConfig, SmtpAddress, StartTls};
use crate::render::Mail;
use crate::store::deliveries::Report;

/// Hands e-mails to one server, each over a connection of its own: a server that hangs holds up one e-mail.
pub struct EmailChannel {
    address: SmtpAddress,
    tls: Option<TlsParameters>,
    login: Option<(String, SecretString)>,
    from: Mailbox,
    timeout: Duration,
}

impl std::fmt::Debug for EmailChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmailChannel").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A connection that is ready to take one e-mail. Nothing of it has left the house.
pub struct Ready {
    connection: AsyncSmtpConnection,
    timeout: Duration,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ready")
    }
}

fn report(outcome: Outcome, reason: &'static str, answer: impl Into<String>) -> Report {
    Report { answer: answer.into(), ..super::report(outcome, reason) }
}

/// What an answer of the server means. Its text may hold addresses, so the code alone is kept.
fn refused(error: &lettre::transport::smtp::Error) -> Option<Report> {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    if error.is_permanent() {
        Some(report(Outcome::Refused, "REFUSED", code))
    } else if error.is_transient() {
        Some(report(Outcome::NotNow, "NOT_NOW", code))
    } else {
        None
    }
}

impl EmailChannel {
    /// Hands e-mails to the configured server; `None`: there is none.
    ///
    /// # Errors
    /// When a certificate or an address cannot be read.
    pub fn new(settings: &EmailConfig) -> Result<Option<Self>, BoxError> {
        let Some(address) = settings.address()? else { return Ok(None) };
        let secret = address.tls_first || settings.starttls == StartTls::Required;
        let tls = if secret {
            let mut builder = TlsParameters::builder(address.host.clone());
            if !settings.ca_file.as_os_str().is_empty() {
                let pem = std::fs::read(&settings.ca_file)
                    .map_err(|error| format!("{}: {error}", settings.ca_file.display()))?;
                builder = builder.add_root_certificate(Certificate::from_pem(&pem)?);
            }
            Some(builder.build_rustls()?)
        } else {
            None
        };
        let login =
            (!settings.username.is_empty()).then(|| (settings.username.clone(), settings.password.clone()));
        Ok(Some(Self { address, tls, login, from: settings.from.parse()?, timeout: settings.timeout }))
    }

    /// The e-mail as it is handed over, and its envelope.
    ///
    /// # Errors
    /// When the address is none.
    pub fn message(&self, to: &str, mail: &Mail, id: &str) -> Result<(Envelope, Vec<u8>), Report> {
        let wrong = || report(Outcome::Refused, "ADDRESS_MALFORMED", "");
        let to: lettre::Address = to.parse().map_err(|_| wrong())?;
        let domain = self.from.email.domain().to_owned();
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject.clone())
            // The same e-mail, should it be handed over twice, has the same name.
            .message_id(Some(format!("<{id}@{domain}>")))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".into(),
            ));
        if let Some(url) = &mail.unsubscribe {
            let header = |name, value: String| HeaderValue::new(HeaderName::new_from_ascii_str(name), value);
            builder = builder
                .raw_header(header("List-Unsubscribe", format!("<{url}>")))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into()));
        }
        let message = builder
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|_| wrong())?;
        Ok((message.envelope().clone(), message.formatted()))
    }

    /// Connects, secures, logs in.
    ///
    /// # Errors
    /// What to write down; it may be tried again.
    pub async fn connect(&self) -> Result<Ready, Report> {
        tokio::time::timeout(self.timeout, self.try_connect())
            .await
            .unwrap_or_else(|_| Err(report(Outcome::NotNow, "TIMEOUT", "")))
    }

    async fn try_connect(&self) -> Result<Ready, Report> {
        let failed = |error: lettre::transport::smtp::Error| {
            tracing::debug!(%error, "the mail server cannot be used");
            // Whatever it says before an e-mail is named says nothing of this e-mail.
            let code = error.status().map(|code| code.to_string()).unwrap_or_default();
            report(Outcome::NotNow, "UNREACHABLE", code)
        };
        let hello = ClientId::default();
        let server = (self.address.host.as_str(), self.address.port);
        let first = self.tls.clone().filter(|_| self.address.tls_first);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &hello, first, None)
                .await
                .map_err(failed)?;
        if let Some(tls) = self.tls.clone().filter(|_| !self.address.tls_first) {
            connection.starttls(tls, &hello).await.map_err(failed)?;
        }
        if let Some((name, password)) = &self.login {
            let credentials = Credentials::new(name.clone(), password.expose_secret().to_owned());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await.map_err(failed)?;
        }
        Ok(Ready { connection, timeout: self.timeout })
    }
}

impl Ready {
    /// Hands one e-mail over. An answer of the server is an answer; without one, nobody knows (N-5).
    pub async fn send(mut self, envelope: &Envelope, message: &[u8]) -> Report {
        match tokio::time::timeout(self.timeout, self.connection.send(envelope, message)).await {
            Ok(Ok(response)) => {
                // The e-mail is theirs now, whatever becomes of the goodbye.
                let _ = tokio::time::timeout(Duration::from_secs(2), self.connection.quit()).await;
                report(Outcome::Delivered, "", response.code().to_string())
            }
            Ok(Err(error)) => refused(&error).unwrap_or_else(|| report(Outcome::Unknown, "CUT_OFF", "")),
            Err(_) => report(Outcome::Unknown, "TIMEOUT", ""),
        }
    }
}
