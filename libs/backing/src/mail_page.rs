//! A page that shows what a mail catcher caught.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::mail::{CaughtMail, MailCatcher, MailSession};

/// Longest head of a request, in bytes.
const MAX_HEAD: u64 = 16 * 1024;

/// A page on a loopback port: `/` lists the e-mails, latest first. It ends when it is dropped.
#[derive(Debug)]
pub struct MailPage {
    address: SocketAddr,
    listening: JoinHandle<()>,
}

impl Drop for MailPage {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl MailPage {
    /// Shows what this catcher catches; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken.
    #[expect(clippy::disallowed_methods, reason = "a server of development and tests, ended by its owner")]
    pub async fn start(catcher: &MailCatcher, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let session = catcher.session();
        let listening = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let session = session.clone();
                // Who breaks off has broken off.
                tokio::spawn(async move { answer(stream, &session).await });
            }
        });
        Ok(Self { address, listening })
    }

    /// Where it is: `http://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn answer(stream: TcpStream, session: &MailSession) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = (&mut stream).take(MAX_HEAD);
    let mut line = String::new();
    // The head ends with an empty line; what it says does not matter, for there is one page.
    while head.read_line(&mut line).await? > 2 {
        line.clear();
    }
    let body = page(&session.mails());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.flush().await?;
    stream.shutdown().await
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Texts alone, with links that can be pressed: what is shown was written by anybody.
fn page(mails: &[CaughtMail]) -> String {
    let mut page = String::from(
        "<!doctype html><meta charset=\"utf-8\"><title>Mail</title><style>body{font-family:sans-serif;max-width:50em;\
         margin:1em auto;padding:0 1em}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;padding:1em}\
         </style><h1>What was sent</h1>\n",
    );
    if mails.is_empty() {
        page.push_str("<p>Nothing yet. E-mails stay here; none leaves this machine.</p>\n");
    }
    for mail in mails.iter().rev() {
        let text = mail.part("text/plain").unwrap_or_else(|| mail.raw.clone());
        let linked: Vec<String> = text.split_inclusive(char::is_whitespace).map(linked).collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            "<h2>{}</h2><p>to {}</p><pre>{}</pre>",
            escape(&mail.header("Subject").unwrap_or_default()),
            escape(&mail.to.join(", ")),
            linked.concat()
        );
    }
    page
}

fn linked(word: &str) -> String {
    let shown = escape(word);
    if word.starts_with("http://") || word.starts_with("https://") {
        format!("<a href=\"{}\">{shown}</a>", escape(word.trim()))
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_shown_as_text() {
        let raw = "Subject: <b>\r\n\r\nhttp://x/\"y <script>\r\n";
        let shown = page(&[CaughtMail { from: String::new(), to: vec!["a@b".into()], raw: raw.into() }]);
        assert!(shown.contains("<h2>&lt;b&gt;</h2>"), "{shown}");
        assert!(shown.contains("<a href=\"http://x/&quot;y\">") && !shown.contains("<script>"), "{shown}");
    }
}
