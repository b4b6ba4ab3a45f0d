//! Calling addresses that others have given: nobody makes us call what is in our own house.
//!
//! A name is looked at when it is looked up, and the connection goes to what was found then: whoever answers otherwise
//! the next time (DNS rebinding) has nothing of it. Redirects are not followed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use callboard_service::BoxError;
use reqwest::Url;

/// Where calls may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Also to addresses of private networks and of this machine.
    pub allow_private: bool,
    /// Also without TLS.
    pub allow_http: bool,
}

/// Whether an address is one that anybody on the internet has.
pub fn is_public(address: IpAddr) -> bool {
    let four = |four: Ipv4Addr| {
        let [a, b, ..] = four.octets();
        !(four.is_private()
            || four.is_loopback()
            || four.is_link_local()
            || four.is_broadcast()
            || four.is_documentation()
            || four.is_multicast()
            || a == 0
            || a >= 240
            || a == 100 && (64..128).contains(&b)
            || a == 192 && b == 0
            || a == 198 && (b == 18 || b == 19))
    };
    match address {
        IpAddr::V4(address) => four(address),
        IpAddr::V6(six) => {
            let [first, second, ..] = six.segments();
            match six.to_ipv4() {
                // Mapped and compatible ones, `::1` and `::` among them.
                Some(address) => six.to_ipv4_mapped().is_some() && four(address),
                // Global unicast, without what is for documentation, and what wraps version 4.
                None => {
                    (0x2000..0x4000).contains(&first)
                        && !(first == 0x2001 && (second == 0xdb8 || second < 0x200))
                        && first != 0x2002
                }
            }
        }
    }
}

/// A name that leads into our own house, or nowhere.
#[derive(Debug)]
struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no public address")
    }
}

impl std::error::Error for NotPublic {}

/// Looks names up and leaves out what is not public.
#[derive(Debug)]
struct PublicNames;

impl reqwest::dns::Resolve for PublicNames {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await?
                .filter(|address| is_public(address.ip()))
                .collect();
            if found.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// Whether a call failed because the name leads into our own house.
pub fn is_blocked(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The address, where it may be called as far as it says itself: its scheme, and its host where that is a number. Names
/// are looked at when they are looked up.
pub fn admitted(address: &str, bounds: Bounds) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let secret = match url.scheme() {
        "https" => true,
        "http" => bounds.allow_http,
        _ => false,
    };
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    // However a number is written, the address holds it in its usual form by now.
    let number = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let host = host.trim_end_matches('.');
    let public = number.map_or(host.contains('.') && !host.ends_with(".localhost"), is_public);
    (secret && plain && (bounds.allow_private || public)).then_some(url)
}

/// Calls with these bounds. An answer may take this long in all.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client(timeout: Duration, bounds: Bounds) -> Result<reqwest::Client, BoxError> {
    // Ours is the only provider; another part of the process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .https_only(!bounds.allow_http)
        .user_agent("Callboard");
    if !bounds.allow_private {
        client = client.dns_resolver(Arc::new(PublicNames));
    }
    Ok(client.build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_makes_us_call_our_own_house() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "2002:a00:1::",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().expect("an address")), "{private}");
        }
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }

    #[test]
    fn an_address_says_no_more_than_where_to() {
        let strict = Bounds { allow_private: false, allow_http: false };
        for wrong in [
            "http://hooks.example.com/x",
            "https://user:word@hooks.example.com/x",
            "https://hooks.example.com/x#y",
            "https://localhost/x",
            "https://intranet/x",
            "https://a.localhost./x",
            "https://127.0.0.1/x",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://[::1]/x",
            "https://[::ffff:169.254.169.254]/x",
            "ftp://hooks.example.com/x",
            "nonsense",
        ] {
            assert_eq!(admitted(wrong, strict), None, "{wrong}");
        }
        assert!(admitted("https://hooks.example.com:8443/x?y=z", strict).is_some());
        let loose = Bounds { allow_private: true, allow_http: true };
        assert!(admitted("http://127.0.0.1:9/x", loose).is_some());
        assert_eq!(admitted("http://127.0.0.1:9/x", Bounds { allow_http: false, ..loose }), None);
    }

    #[tokio::test]
    async fn a_name_that_leads_into_our_house_is_not_called() {
        let strict = Bounds { allow_private: false, allow_http: true };
        let client = client(Duration::from_secs(5), strict).expect("a client");
        // Looked up by every machine to its own loopback.
        let error = client.post("http://localhost:9/").send().await.expect_err("blocked");
        assert!(is_blocked(&error), "{error:?}");
    }
}
