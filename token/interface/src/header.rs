//! The C header, made from the table of functions.

use std::fmt::Write as _;

use crate::code::Code;
use crate::ffi::{CLAIMS_ROOM, DECLARATIONS, Declaration, NO_SNAPSHOT};

const BEGINNING: &str = "\
/* libhealthcard_token: access tokens (访问令牌) checked offline, by whoever is asked for data.
 *
 * Made from the library's table of functions: cargo run -p token-interface --example header
 *
 * Functions that answer int, hct_asks_for_keys apart, answer HCT_OK, else one of the codes below. Numbers and reasons
 * stay; others are added: whoever meets one that they do not know refuses the request.
 *
 * A verifier is a number in the clothes of a pointer, never given twice; several threads may use it at once. Texts
 * (const char *) are UTF-8, end with NUL, and have at most 2048 octets before it, addresses (uri) 16384. Octets
 * (const unsigned char *) have the length that is said with them; of more than can be good none is looked at. Times are seconds since 1970; the library
 * reads no clock, file or network, and keeps no pointer. */
#ifndef HEALTHCARD_TOKEN_H
#define HEALTHCARD_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern \"C\" {
#endif

#define HCT_OK 0
";

/// The text of `include/healthcard_token.h`.
#[must_use]
pub fn text() -> String {
    let mut header = BEGINNING.to_owned();
    for (number, reason, _, en) in Code::told() {
        let _ = writeln!(header, "#define HCT_{reason} {number} /* {en} */");
    }
    let _ = writeln!(header, "\n#define HCT_CLAIMS_ROOM {CLAIMS_ROOM}");
    let _ = writeln!(header, "#define HCT_NO_SNAPSHOT ({NO_SNAPSHOT})");
    DECLARATIONS.iter().map(one).for_each(|declaration| header += &declaration);
    header + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n"
}

fn one(Declaration { doc, answer, name, parameters }: &Declaration) -> String {
    let parameters: Vec<String> =
        parameters.iter().map(|(kind, name)| format!("{kind}{name}")).collect();
    format!("\n/* {doc} */\n{answer}{name}({});\n", parameters.join(", "))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_header_in_the_tree_is_the_one_of_these_functions() {
        assert_eq!(super::text(), include_str!("../include/healthcard_token.h"));
    }
}
