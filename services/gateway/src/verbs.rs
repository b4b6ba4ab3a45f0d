//! Custom verbs (AIP-136): `POST /v1/offers/{id}:accept`.
//!
//! The router matches whole segments only, so a verb is moved into a segment of its own before routing:
//! `/v1/offers/7:accept` is routed as `/v1/offers/7/:accept`. This is the only place that knows.

use http::Uri;
use http::uri::PathAndQuery;

/// The path as the router knows it: `/v1/offers/{id}:accept` to `/v1/offers/{id}/:accept`.
pub fn route_path(path: &str) -> String {
    match split(path) {
        Some((before, verb)) => format!("{before}/:{verb}"),
        None => path.to_owned(),
    }
}

/// Splits the verb off the last segment of a path.
fn split(path: &str) -> Option<(&str, &str)> {
    let last = path.rfind('/')? + 1;
    let colon = last + path[last..].rfind(':')?;
    // `/v1/offers/:accept` written by hand is no verb of anything.
    (colon > last && colon + 1 < path.len()).then(|| (&path[..colon], &path[colon + 1..]))
}

/// The request's address as the router knows it; `None` when it is written in the router's own way, which is not ours
/// to show. A percent-encoded colon counts as a colon, as some clients encode it.
pub fn rewrite(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if path.contains("/:") {
        return None;
    }
    let decoded = path.replace("%3A", ":").replace("%3a", ":");
    if !decoded.contains(':') {
        return Some(uri.clone());
    }
    let routed = route_path(&decoded);
    let target = match uri.query() {
        Some(query) => format!("{routed}?{query}"),
        None => routed,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(uri: &str) -> Option<String> {
        rewrite(&uri.parse().unwrap()).map(|uri| uri.to_string())
    }

    #[test]
    fn aip_136_a_verb_becomes_a_segment_of_its_own() {
        assert_eq!(rewritten("/v1/offers/7:accept?x=1:2").as_deref(), Some("/v1/offers/7/:accept?x=1:2"));
        assert_eq!(rewritten("/v1/codes:lookUp").as_deref(), Some("/v1/codes/:lookUp"));
        assert_eq!(rewritten("/v1/offers/7%3Aaccept").as_deref(), Some("/v1/offers/7/:accept"));
        assert_eq!(rewritten("/v1/offers/7").as_deref(), Some("/v1/offers/7"));
        assert_eq!(rewritten("/v1/offers/7/:accept"), None);
        assert_eq!(rewritten("/v1/offers/:accept"), None);
        assert_eq!(route_path("/v1/tickets/{id}:submit"), "/v1/tickets/{id}/:submit");
    }
}
