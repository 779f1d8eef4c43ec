//! The checker for a browser: one HTML file that checks a [`bundle`](crate::bundle) without a network.
//!
//! It shares no code with [`bundle::check`](crate::bundle::check), so that each is a second opinion on the other. It can
//! have a bundle in it, and then is the evidence and the means to check it in one file.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

#[cfg(test)]
mod tests;

/// The page.
pub const PAGE: &str = include_str!("../checker/checker.html");
/// Most bytes of a bundle that is put into the page: browsers hold it as one text.
pub const MAX_ENCLOSED: u64 = 32 << 20;

/// Where the page has its bundle: a block of data, which no browser runs.
const PLACE: &str = r#"<script type="text/plain" id="bundle">"#;

/// The page with `bundle` in it, which it checks as soon as it is opened. Base64 has no character that ends the block.
pub fn enclosing(bundle: &[u8]) -> String {
    PAGE.replacen(PLACE, &format!("{PLACE}{}", BASE64.encode(bundle)), 1)
}
