//! Domains as they are compared (S-4): registrable names after the public suffix list, in lower case and ASCII.

/// Longest text that is looked at: a URL.
const MAX_INPUT: usize = 2_048;

/// The registrable name in a domain, an e-mail address or a URL.
///
/// # Errors
/// The rule that it breaks.
pub fn registrable(text: &str) -> Result<String, &'static str> {
    const RULE: &str = "a domain below a public suffix, such as `example.co.uk` (S-4)";
    let text = text.trim();
    if text.is_empty() {
        return Err("is required");
    }
    if text.len() > MAX_INPUT {
        return Err("at most 2,048 bytes");
    }
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches('.');
    let host = idna::domain_to_ascii_strict(host).map_err(|_| RULE)?;
    let domain = psl::domain(host.as_bytes()).ok_or(RULE)?;
    // What the list does not know is no place where anybody registers names: `localhost`, `printer.local`, addresses.
    if !domain.suffix().is_known() {
        return Err(RULE);
    }
    String::from_utf8(domain.as_bytes().to_vec()).map_err(|_| RULE)
}

#[cfg(test)]
mod tests {
    use super::registrable;

    #[test]
    fn s_4_domains_are_compared_in_lower_case_as_registrable_names() {
        for (text, name) in [
            ("Example.COM", "example.com"),
            ("www.shop.example.co.uk", "example.co.uk"),
            ("https://me@www.Example.com:8443/path?x=1", "example.com"),
            ("pia@mail.example.de", "example.de"),
            ("example.com.", "example.com"),
            (" münchen.de ", "xn--mnchen-3ya.de"),
            ("MÜNCHEN.de", "xn--mnchen-3ya.de"),
            ("www.xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
            ("somebody.github.io", "somebody.github.io"),
        ] {
            assert_eq!(registrable(text).as_deref(), Ok(name), "{text}");
        }
    }

    #[test]
    fn s_4_a_public_suffix_is_no_name_and_neither_is_what_the_list_does_not_know() {
        let long = "a".repeat(3_000);
        for text in
            ["", "com", "co.uk", "localhost", "printer.local", "192.168.0.1", "a b.com", "-x.com", &long]
        {
            assert!(registrable(text).is_err(), "{text}");
        }
    }
}
