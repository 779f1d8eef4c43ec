//! The C header, made from the table of functions.

use std::fmt::Write as _;

use crate::code::Code;
use crate::ffi::{Declaration, declarations};

/// The text of `include/healthcard.h`.
pub fn text() -> String {
    let mut header = String::from(
        "/* libhealthcard: the application interface of the resident health card (居民健康卡应用接口).\n\
         \x20*\n\
         \x20* Made from the library's table of functions: cargo run -p card-interface --example header\n\
         \x20*\n\
         \x20* Every function answers 0 when it succeeded, else one of the codes below. Text ends with NUL and is in\n\
         \x20* characters of GBK. A field has, in its buffer: an and ans fields their length, cn fields two digits a byte,\n\
         \x20* b fields two hex digits a byte, and a NUL. Styles: NO 0x00 bytes, AN 0x01 text, CN 0x0F digits, B 0xFF hex.\n\
         \x20* What is given may have 8192 bytes; longer text or data is refused with IRV_PARA_ERR. */\n\
         #ifndef HEALTHCARD_H\n#define HEALTHCARD_H\n\n\
         #ifdef __cplusplus\nextern \"C\" {\n#endif\n\n\
         #ifdef _WIN32\n#define HEALTHCARD_CALL __stdcall\n#else\n#define HEALTHCARD_CALL\n#endif\n\n\
         typedef void *HANDLE;\n\n#define IRV_OK 0\n",
    );
    for code in Code::ALL {
        let _ = writeln!(header, "#define {} {} /* {code} */", code.name(), code.number());
    }
    header += "\n/* Opens the readers of this desk: HEALTHCARD_READER for the user card and HEALTHCARD_SAM_READER for the SAM in\n\
               \x20* the environment, else the first and the second reader. NULL when there is none.\n\
               \x20*\n\
               \x20* With HEALTHCARD_AGENT in the environment it opens the desk agent at that socket instead (healthcard desk\n\
               \x20* --interface PATH). That takes no SAM: the service holds the keys of the card, and permits or refuses. A visit\n\
               \x20* is named by HEALTHCARD_VISIT, and why its data are read by HEALTHCARD_PURPOSE (treatment, patient-request);\n\
               \x20* both are looked at in every call. Without a visit there are issuer data and holder data, and contact data can\n\
               \x20* be written. HEALTHCARD_READER is a part of the reader's name. Codes through the agent:\n\
               \x20* IRV_CARD_ERR no card, two cards, or not the card that was powered on: call PowerOn again;\n\
               \x20* IRV_PSAM_ERR the agent or the service cannot be reached;\n\
               \x20* IRV_IRK_VERR the card did not prove itself, or the service does not permit it: role, visit, purpose. */\n\
               HANDLE HEALTHCARD_CALL iDOpenPort(void);\n\
               /* Closes a connection. */\n\
               int HEALTHCARD_CALL iDClosePort(HANDLE hDev);\n";
    for declaration in declarations() {
        header += &one(declaration);
    }
    header + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n"
}

fn one(Declaration { doc, name, parameters }: &Declaration) -> String {
    let parameters: String =
        parameters.iter().map(|(kind, name)| format!(", {kind}{name}")).collect();
    format!("\n/* {doc} */\nint HEALTHCARD_CALL {name}(HANDLE hDev{parameters});\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_header_in_the_tree_is_the_one_of_these_functions() {
        assert_eq!(super::text(), include_str!("../include/healthcard.h"));
    }
}
