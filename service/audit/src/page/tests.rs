use sha2::{Digest as _, Sha256};

use super::*;

/// What stands between a tag and the end of its element.
fn inside(tag: &str, name: &str) -> &'static str {
    let (_, after) = PAGE.split_once(tag).unwrap();
    after.split_once(&format!("</{name}>")).unwrap().0
}

fn sha256(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(Sha256::digest(text)))
}

#[test]
fn the_policy_allows_what_the_page_is_made_of_and_nothing_else() {
    let policy = inside("<meta http-equiv=\"Content-Security-Policy\" content=\"", "head");
    let policy = policy.split_once('"').unwrap().0;
    let [style, check, page] = [
        ("<style>", "style"),
        ("<script id=\"check\">", "script"),
        ("<script id=\"page\">", "script"),
    ]
    .map(|(tag, name)| sha256(inside(tag, name)));
    let expected = format!(
        "default-src 'none'; style-src {style}; script-src {check} {page}; base-uri 'none'; form-action 'none'"
    );
    assert_eq!(policy, expected, "after a change of the page its policy names the new digests");
    assert_eq!(PAGE.matches("<script").count(), 3);
    for banned in [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
        "http:",
        "https:",
    ] {
        assert!(!PAGE.contains(banned), "{banned}");
    }
}

#[test]
fn a_bundle_is_enclosed_as_data() {
    let bundle: Vec<u8> =
        b"</script><script>alert(1)</script>\n".iter().copied().cycle().take(1000).collect();
    let page = enclosing(&bundle);
    let (before, after) = page.split_once(PLACE).unwrap();
    let (enclosed, rest) = after.split_once("</script>").unwrap();
    assert_eq!(BASE64.decode(enclosed).unwrap(), bundle);
    assert_eq!([before, PLACE, "</script>", rest].concat(), PAGE);
}
