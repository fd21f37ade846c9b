//! One POST to a webhook of a call flow: one try, bounded in time and size, no redirect, and only to a public address
//! or a private network the account has named. Names are resolved here, once, and what was looked at is what is connected
//! to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};

use super::gateway::{is_public, literal};
use crate::call::{WebhookAnswer, WebhookQuestion};
use crate::directory::network_contains;

/// Longest answer, in bytes.
const MOST_BYTES: usize = 4_096;
/// Longest word in it, in characters.
const MOST_CHARACTERS: usize = 64;

/// Asks; the error is a sentence for the log, without anything of the caller's.
pub async fn ask(question: &WebhookQuestion) -> Result<String, String> {
    let patience = Duration::from_millis(u64::from(question.timeout_ms));
    tokio::time::timeout(patience, post(question)).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

async fn post(question: &WebhookQuestion) -> Result<String, String> {
    let url: Url = question.url.parse().map_err(|_| "its address is no URL".to_owned())?;
    let networks: Arc<[String]> = question.networks.clone().into();
    let own = |ip: IpAddr| networks.iter().any(|network| network_contains(network, ip));
    match url.scheme() {
        "https" => {}
        // Without a certificate only inside the account's own networks, and named by address: no name can lead elsewhere.
        "http" if literal(&question.url).is_some_and(own) => {}
        _ => return Err("only HTTPS is taken, or a named private network's address".to_owned()),
    }
    if let Some(ip) = literal(&question.url)
        && !is_public(ip)
        && !own(ip)
    {
        return Err("it is on this machine or in a private network".to_owned());
    }
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Allowed { networks: networks.clone() }));
    if url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    }
    let client = builder.build().map_err(|_| "the client could not be made".to_owned())?;
    let body = serde_json::to_string(&question.body).map_err(|_| "the question could not be written".to_owned())?;
    let request = client.post(url).header(reqwest::header::CONTENT_TYPE, "application/json").body(body);
    // The error would name the address, and with it secrets that some keep in its path.
    let mut response = request.send().await.map_err(|_| "it cannot be reached".to_owned())?;
    if !response.status().is_success() {
        return Err(format!("it answered {}", response.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| "its answer broke off".to_owned())? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_BYTES {
            return Err("its answer is longer than 4 kB".to_owned());
        }
    }
    let answer: WebhookAnswer =
        serde_json::from_slice(&bytes).map_err(|_| "its answer is not {\"next\":\"…\"}".to_owned())?;
    if answer.next.chars().count() > MOST_CHARACTERS {
        return Err("its word is longer than 64 characters".to_owned());
    }
    Ok(answer.next)
}

/// Resolves names as the system does, and leaves out what may not be reached.
struct Allowed {
    networks: Arc<[String]>,
}

impl Resolve for Allowed {
    fn resolve(&self, name: Name) -> Resolving {
        let networks = self.networks.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed = |ip: IpAddr| is_public(ip) || networks.iter().any(|network| network_contains(network, ip));
            let found: Vec<_> = found.into_iter().filter(|address| allowed(address.ip())).collect();
            if found.is_empty() {
                return Err("it is on this machine or in a private network".into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::Millis;
    use cordboard_shared::id::CallId;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::call::WebhookBody;

    fn question(url: String, networks: &[&str]) -> WebhookQuestion {
        WebhookQuestion {
            call: CallId::new(Millis(1), [0; 10]),
            hop: 1,
            url,
            timeout_ms: 500,
            networks: networks.iter().map(|it| (*it).to_owned()).collect(),
            body: WebhookBody {
                call: "x".to_owned(),
                from: "+442079460199".to_owned().into(),
                to: "+442079460101".to_owned().into(),
                node: "ask".to_owned(),
                digits: "1234".to_owned().into(),
                language: "en".to_owned(),
            },
        }
    }

    /// Answers one request with these bytes, and tells what was asked.
    async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ask", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 65_536];
            let mut length = 0;
            loop {
                length += stream.read(&mut bytes[length..]).await.unwrap();
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if text.contains("\"language\":\"en\"}") {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    return text;
                }
            }
        });
        (url, asked)
    }

    #[tokio::test]
    async fn a_webhook_is_posted_the_digits_and_says_a_word() {
        let (url, asked) = server("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"next\":\"gold\"}").await;
        assert_eq!(ask(&question(url, &["127.0.0.0/8"])).await, Ok("gold".to_owned()));
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("POST /ask HTTP/1.1") && asked.contains("\"digits\":\"1234\""), "{asked}");
    }

    #[tokio::test]
    async fn redirects_and_errors_are_failures() {
        for answer in [
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        ] {
            let (url, _) = server(answer).await;
            assert!(ask(&question(url, &["127.0.0.0/8"])).await.is_err(), "{answer}");
        }
    }

    #[tokio::test]
    async fn nothing_private_is_connected_to_unless_it_was_named() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "localhost",
            "10.0.0.1",
            "169.254.169.254",
            "[fc00::1]",
        ] {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://{host}:{port}/");
                let refused = ask(&question(url, &["192.168.0.0/16"])).await;
                assert!(refused.is_err_and(|why| why != "no answer in time"), "{scheme} {host}");
            }
        }
        let connected = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(connected.is_err(), "something connected");
    }

    #[tokio::test]
    async fn a_late_webhook_is_not_waited_for() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        assert_eq!(ask(&question(url, &["127.0.0.1"])).await, Err("no answer in time".to_owned()));
    }
}
