//! The page for people.

use super::http::Monitored;

#[test]
fn the_page_needs_nothing_from_elsewhere_and_links_to_what_is_there() {
    let server = Monitored::start(&[]);
    let page = server.get("/");
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    let text = page.text();
    assert!(page.body.len() < 16 * 1024, "{} bytes", page.body.len());
    assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("src="), "{text}");
    let links: Vec<&str> = text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(links.len() > 8, "{links:?}");
    for link in links {
        let path = link.strip_prefix('.').unwrap_or_else(|| panic!("{link} is not relative"));
        assert_eq!(server.get(path).status, 200, "{link}");
    }
}
