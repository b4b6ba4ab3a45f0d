use super::*;

fn html(text: &str) -> String {
    render(text).html
}

fn a(url: &str, text: &str) -> String {
    format!("<a href=\"{url}\" rel=\"noopener noreferrer nofollow\">{text}</a>")
}

#[test]
fn m_1_bold_italic_and_line_breaks() {
    assert_eq!(html("**Hello** _there_"), "<p><strong>Hello</strong> <em>there</em></p>");
    assert_eq!(html("one\ntwo\r\nthree"), "<p>one<br>\ntwo<br>\nthree</p>");
    assert_eq!(html("one\n\n\ntwo"), "<p>one</p>\n<p>two</p>");
    assert_eq!(html("**a\nb**"), "<p><strong>a<br>\nb</strong></p>");
    assert_eq!(html("snake_case_name 2*3*4"), "<p>snake_case_name 2<em>3</em>4</p>");
    assert_eq!(html(""), "");
}

#[test]
fn m_1_links_addresses_and_e_mail() {
    assert_eq!(
        html("see [the manual](https://example.com/a_b_c)"),
        format!("<p>see {}</p>", a("https://example.com/a_b_c", "the manual"))
    );
    let url = "https://example.com/__init__.py?a=1*2*3";
    assert_eq!(html(&format!("at {url}.")), format!("<p>at {}.</p>", a(url, url)));
    assert_eq!(
        html("<https://example.com>"),
        format!("<p>{}</p>", a("https://example.com", "https://example.com"))
    );
    let rendered = render("write to help@example.com");
    assert_eq!(
        rendered.html,
        format!("<p>write to {}</p>", a("mailto:help@example.com", "help@example.com"))
    );
    assert_eq!(rendered.links[0].kind, LinkKind::Contact);
    assert_eq!(
        html("**https://example.com**"),
        format!("<p><strong>{}</strong></p>", a("https://example.com", "https://example.com"))
    );
}

#[test]
fn m_1_pages_are_recognised_without_their_scheme_by_www_and_nothing_else_is() {
    let rendered = render("see www.example.com/a_b_c?d=1, or ask.");
    let link = a("https://www.example.com/a_b_c?d=1", "www.example.com/a_b_c?d=1");
    assert_eq!(rendered.html, format!("<p>see {link}, or ask.</p>"));
    assert_eq!(rendered.links[0].kind, LinkKind::Web);
    let page = a("https://www.example.com", "www.example.com");
    assert_eq!(html("Go to www.example.com."), format!("<p>Go to {page}.</p>"));
    assert_eq!(html("(**www.example.com**)"), format!("<p>(<strong>{page}</strong>)</p>"));
    assert_eq!(
        html("https://example.com and www.example.com, me@www.example.com"),
        format!(
            "<p>{} and {page}, {}</p>",
            a("https://example.com", "https://example.com"),
            a("mailto:me@www.example.com", "me@www.example.com")
        )
    );
    assert_eq!(html("[here](www.example.com)"), format!("<p>{}</p>", a("https://www.example.com", "here")));
    assert!(render("ftp://me@example.com").links.is_empty());
    assert_eq!(
        html("WWW.Example.COM"),
        format!("<p>{}</p>", a("https://WWW.Example.COM", "WWW.Example.COM"))
    );
    for text in [
        "file.txt",
        "a.b",
        "manual.pdf and 3.5 bar",
        "example.com",
        "www.txt",
        "www.",
        "wwwx.example.com",
        "a/www.x.y",
    ] {
        assert!(render(text).links.is_empty(), "{text}");
        assert_eq!(html(text), format!("<p>{text}</p>"));
    }
}

#[test]
fn m_1_assistant_links() {
    let rendered =
        render("Try [[https://example.com/f?id=1 | *Order* a part]] now, or [[nothing]] or [[x|y]]");
    let link = a("https://example.com/f?id=1", "*Order* a part");
    assert_eq!(rendered.html, format!("<p>Try {link} now, or [[nothing]] or [[x|y]]</p>"));
    let expected = Link {
        kind: LinkKind::Assistant,
        url: "https://example.com/f?id=1".to_owned(),
        text: "*Order* a part".to_owned(),
    };
    assert_eq!(rendered.links, [expected]);
}

#[test]
fn m_1_raw_html_never() {
    for text in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onclick=\"x\">b</b>",
        "<div>\n<iframe src=\"https://evil.example\">\n</div>",
        "<!-- x -->",
        "<a href=\"javascript:alert(1)\">x</a>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[[javascript:alert(1) | press]]",
        "[x](data:text/html;base64,AAAA)",
        "<javascript:alert(1)>",
        "![x](https://evil.example/x.png)",
        "[a]: javascript:alert(1)\n[a]",
        "\u{E000}0\u{E001} \u{E000}9\u{E001}",
        "`<script>`",
    ] {
        let rendered = render(text);
        let mut rest = rendered.html.as_str();
        while let Some(at) = rest.find('<') {
            rest = &rest[at + 1..];
            let ours = ["p>", "/p>", "br>", "a href=\"http", "a href=\"mailto", "/a>", "em>", "/em>"];
            assert!(ours.iter().any(|tag| rest.starts_with(tag)), "{text}: {}", rendered.html);
        }
        assert!(rendered.links.iter().all(|link| address(&link.url).is_some()), "{text}");
    }
    assert_eq!(html("<script>alert(1)</script>"), "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>");
}

#[test]
fn m_1_what_is_no_part_of_the_subset_is_shown_as_written() {
    assert_eq!(html("# Heading"), "<p># Heading</p>");
    assert_eq!(html("- one\n- two"), "<p>- one<br>\n- two</p>");
    assert_eq!(html("1. one\n---\n> quote"), "<p>1. one<br>\n---<br>\n&gt; quote</p>");
    assert_eq!(html("```\ncode\n```"), "<p>```<br>\ncode<br>\n```</p>");
    assert_eq!(html("    indented"), "<p>    indented</p>");
    assert_eq!(html("use `a*b*c`"), "<p>use `a*b*c`</p>");
    assert_eq!(html("‖ double"), "<p>‖ double</p>");
}

#[test]
fn m_1_links_are_bounded() {
    let text = "https://example.com/x ".repeat(MAX_LINKS + 50);
    assert_eq!(render(&text).links.len(), MAX_LINKS);
}
