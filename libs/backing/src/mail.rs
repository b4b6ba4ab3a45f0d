//! A mail server that keeps what it is sent and passes nothing on: for development and tests.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// E-mails that are kept; older ones go.
const KEPT: usize = 500;
/// Longest line, in bytes (RFC 5321 allows 1,000).
const MAX_LINE: u64 = 8 * 1024;
/// Longest e-mail, in bytes.
const MAX_MAIL: usize = 10 * 1024 * 1024;

/// An e-mail as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtMail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Header and body.
    pub raw: String,
}

impl CaughtMail {
    /// A header's value, unfolded; the first of that name. Encoded words stay encoded.
    pub fn header(&self, name: &str) -> Option<String> {
        header(self.raw.split("\r\n\r\n").next()?, name)
    }

    /// The decoded part of a media type (`text/plain`); `None`: there is none.
    pub fn part(&self, media_type: &str) -> Option<String> {
        let boundary =
            self.header("Content-Type")?.split_once("boundary=\"")?.1.split('"').next()?.to_owned();
        self.raw.split(&format!("--{boundary}")).skip(1).find_map(|part| {
            let (head, body) = part.split_once("\r\n\r\n")?;
            header(head, "Content-Type").filter(|kind| kind.starts_with(media_type))?;
            match header(head, "Content-Transfer-Encoding").as_deref() {
                Some("quoted-printable") => Some(quoted_printable(body)),
                Some("base64") => base64(body),
                _ => Some(body.to_owned()),
            }
        })
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    unfolded.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

fn quoted_printable(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let joined = text.replace("=\r\n", "");
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code =
            after.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match (first, code) {
            (b'=', Some(code)) => {
                bytes.push(code);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn base64(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut value, mut bits) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| !letter.is_ascii_whitespace() && *letter != b'=') {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        value = value << 6 | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(value >> bits & 0xff).ok()?);
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[derive(Debug, Default)]
struct Kept {
    mails: VecDeque<CaughtMail>,
    /// What recipients are answered instead of 250.
    refusing: Option<u16>,
    /// The one recipient who alone is answered so; `None`: all of them.
    refused: Option<String>,
}

/// The mail catcher: SMTP on a loopback port (RFC 5321, without extensions). It ends when it is dropped.
#[derive(Debug)]
pub struct MailCatcher {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    listening: JoinHandle<()>,
}

impl Drop for MailCatcher {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The session of one client, on whatever carries it.
#[derive(Debug, Clone)]
pub struct MailSession(Arc<Mutex<Kept>>);

impl MailCatcher {
    /// Listens on this address; port 0 takes a free one.
    ///
    /// # Errors
    /// When it is taken.
    #[expect(clippy::disallowed_methods, reason = "a server of development and tests, ended by its owner")]
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let session = MailSession(Arc::clone(&kept));
        let listening = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let session = session.clone();
                // A client that breaks off has broken off.
                tokio::spawn(async move { session.serve(stream).await });
            }
        });
        Ok(Self { address, kept, listening })
    }

    /// Where it listens: `smtp://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// What was sent, oldest first; the latest 500.
    pub fn mails(&self) -> Vec<CaughtMail> {
        self.session().mails()
    }

    /// From now on recipients are answered with this code; `None`: taken.
    pub fn refuse(&self, code: Option<u16>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.refusing, kept.refused) = (code, None);
    }

    /// From now on this recipient is answered with this code, and all others are taken.
    pub fn refuse_one(&self, recipient: &str, code: u16) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.refusing, kept.refused) = (Some(code), Some(recipient.to_owned()));
    }

    /// For sessions that come otherwise, such as over TLS.
    pub fn session(&self) -> MailSession {
        MailSession(Arc::clone(&self.kept))
    }
}

impl MailSession {
    /// What was sent so far, by whoever.
    pub(crate) fn mails(&self) -> Vec<CaughtMail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).mails.iter().cloned().collect()
    }

    /// What this recipient is answered instead of 250.
    fn refusal(&self, recipient: &str) -> Option<u16> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_refused = kept.refused.as_deref().is_none_or(|refused| refused == recipient);
        kept.refusing.filter(|_| is_refused)
    }

    /// Speaks with one client until it goes.
    ///
    /// # Errors
    /// Those of the connection, and lines or e-mails that are too long.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 catcher ESMTP\r\n").await?;
        stream.flush().await?;
        let (mut from, mut to) = (String::new(), Vec::new());
        while let Some(line) = read_line(&mut stream).await? {
            let line = line.trim_end();
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let path = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
            let answer = match verb.as_str() {
                "EHLO" => "250-catcher\r\n250 8BITMIME".to_owned(),
                "HELO" | "NOOP" => "250 OK".to_owned(),
                "RSET" => {
                    (from, to) = (String::new(), Vec::new());
                    "250 OK".to_owned()
                }
                "MAIL" => {
                    from = path();
                    "250 OK".to_owned()
                }
                "RCPT" => match self.refusal(&path()) {
                    Some(code) => format!("{code} refused"),
                    None => {
                        to.push(path());
                        "250 OK".to_owned()
                    }
                },
                "DATA" if to.is_empty() => "503 no recipient".to_owned(),
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    stream.flush().await?;
                    let raw = read_data(&mut stream).await?;
                    let mail =
                        CaughtMail { from: std::mem::take(&mut from), to: std::mem::take(&mut to), raw };
                    let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.mails.push_back(mail);
                    if kept.mails.len() > KEPT {
                        kept.mails.pop_front();
                    }
                    "250 kept".to_owned()
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return stream.flush().await;
                }
                _ => "502 not here".to_owned(),
            };
            stream.write_all(answer.as_bytes()).await?;
            stream.write_all(b"\r\n").await?;
            stream.flush().await?;
        }
        Ok(())
    }
}

async fn read_line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let read = stream.take(MAX_LINE).read_until(b'\n', &mut line).await?;
    if read == 0 {
        return Ok(None);
    }
    if !line.ends_with(b"\n") {
        return Err(io::Error::other("a line that is too long"));
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

async fn read_data(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut data = String::new();
    while let Some(line) = read_line(stream).await? {
        if line == ".\r\n" {
            return Ok(data);
        }
        // RFC 5321, 4.5.2.
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
        if data.len() > MAX_MAIL {
            return Err(io::Error::other("an e-mail that is too long"));
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_is_kept_as_it_was_written() {
        let catcher = MailCatcher::start(([127, 0, 0, 1], 0).into()).await.expect("it listens");
        let (client, server) = tokio::io::duplex(1024);
        let session = catcher.session();
        let serving = async move { session.serve(server).await };
        let talking = async move {
            let mut client = BufReader::new(client);
            for line in [
                "EHLO me",
                "MAIL FROM:<a@x>",
                "RCPT TO:<b@y>",
                "DATA",
                "Subject: Hi\r\n there\r\n\r\n..dot\r\n.",
                "QUIT",
            ] {
                client.write_all(format!("{line}\r\n").as_bytes()).await?;
            }
            client.shutdown().await?;
            let mut answers = String::new();
            client.read_to_string(&mut answers).await?;
            io::Result::Ok(answers)
        };
        let (served, answers) = tokio::join!(serving, talking);
        served.expect("a good end");
        assert!(answers.expect("answers").ends_with("250 kept\r\n221 bye\r\n"));
        let mails = catcher.mails();
        assert_eq!((mails[0].from.as_str(), mails[0].to.as_slice()), ("a@x", &["b@y".to_owned()][..]));
        assert_eq!(mails[0].header("subject").as_deref(), Some("Hi there"));
        assert!(mails[0].raw.ends_with("\r\n.dot\r\n"), "{}", mails[0].raw);
    }

    #[test]
    fn parts_are_decoded() {
        let raw = "Content-Type: multipart/alternative; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\
                   Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=\r\n=C3=9Fe\r\n--b\r\n\
                   Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+\r\n--b--\r\n";
        let mail = CaughtMail { from: String::new(), to: Vec::new(), raw: raw.into() };
        assert_eq!(mail.part("text/plain").as_deref(), Some("Grüße\r\n"));
        assert_eq!(mail.part("text/html").as_deref(), Some("<b>"));
    }
}
