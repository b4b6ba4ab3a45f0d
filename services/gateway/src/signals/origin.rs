//! Whose pages may open a WebSocket. Browsers ask nobody before they open one (there is no CORS for it), but they say
//! of which origin the page is.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

/// Whether the page may: it is ours, or `origins` name its origin. What is no browser says none, and may.
pub fn may_open(origins: &[String], public_url: &str, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if origins.iter().any(|known| known == "*" || known == origin) {
        return true;
    }
    let Some(origin) = Place::of(origin) else { return false };
    let named = Place::of(public_url);
    // As the browser wrote it that loaded the page from here.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let asked = host.and_then(|host| Place::of(&format!("{}://{host}", origin.scheme)));
    [named, asked].into_iter().flatten().any(|own| own == origin)
}

/// Scheme, host and port.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    scheme: String,
    host: String,
    port: u16,
}

impl Place {
    fn of(url: &str) -> Option<Self> {
        let url: Uri = url.parse().ok()?;
        let scheme = url.scheme_str()?.to_ascii_lowercase();
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = url.port_u16().unwrap_or(usual);
        Some(Self { host: url.host()?.to_ascii_lowercase(), scheme, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_our_own_and_of_named_origins_may() {
        const PUBLIC: &str = "https://help.example.com";
        let may = |origins: &[&str], origin: &str, host: &str| {
            let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
            let headers = [(ORIGIN, origin.parse().unwrap()), (HOST, host.parse().unwrap())];
            may_open(&origins, PUBLIC, &headers.into_iter().collect())
        };
        let inside = "10.0.0.7:8080";
        for (origins, origin, host, expected) in [
            (&["*"][..], "https://evil.example", inside, true),
            (&[], "https://evil.example", inside, false),
            (&["https://app.example.com"], "https://app.example.com", inside, true),
            (&["https://app.example.com"], "http://app.example.com", inside, false),
            (&[], "https://help.example.com", inside, true),
            (&[], "https://HELP.example.com:443", inside, true),
            (&[], "https://help.example.com:444", inside, false),
            (&[], "https://help.example.com.evil.example", inside, false),
            (&[], "http://10.0.0.7:8080", inside, true),
            (&[], "http://10.0.0.7", inside, false),
            (&[], "null", inside, false),
            (&[], "https://evil.example", "evil.example:8080", false),
        ] {
            assert_eq!(may(origins, origin, host), expected, "{origins:?} {origin} {host}");
        }
        assert!(may_open(&[], PUBLIC, &HeaderMap::new()), "no browser");
    }
}
