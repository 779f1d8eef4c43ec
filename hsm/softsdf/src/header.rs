//! The C header, made from the table of functions.

use std::fmt::Write as _;

use hsm::sdf::{Code, algorithm};

use crate::ffi::{Declaration, declarations};

/// Names and numbers of algorithms.
const ALGORITHMS: [(&str, u32); 9] = [
    ("SGD_SM4_ECB", algorithm::SM4_ECB),
    ("SGD_SM4_CBC", algorithm::SM4_CBC),
    ("SGD_SM4_MAC", algorithm::SM4_MAC),
    ("SGD_SM3", algorithm::SM3),
    ("SGD_SM2", algorithm::SM2),
    ("SGD_SM2_1", algorithm::SM2_SIGN),
    ("SGD_SM2_3", algorithm::SM2_ENCRYPT),
    ("SGD_SM3_SM2", algorithm::SM3_SM2),
    ("SGD_SM3_SM2_OLD", algorithm::SM3_SM2_OLD),
];

const BEGINNING: &str = "\
/* libsoftsdf: a cryptographic device in software (密码设备应用接口规范, GM/T 0018-2012).
 *
 * Made from the library's table of functions: cargo run -p softsdf --example header
 *
 * Every function answers SDR_OK, else one of the codes below. SOFTSDF_CONFIG in the environment names the settings,
 * else they are softsdf.toml beside the library. Handles are numbers in the clothes of pointers, never given twice.
 * A buffer for a result has the room that is named; a structure that ends in C is followed by as many octets.
 * Functions that are not supported say so with SDR_NOTSUPPORT. */
#ifndef SOFTSDF_H
#define SOFTSDF_H

#ifdef __cplusplus
extern \"C\" {
#endif

";

const STRUCTURES: &str = "
/* 512 in the standard. A library with ecc_bits = 256 in its settings goes with 256. */
#ifndef ECCref_MAX_BITS
#define ECCref_MAX_BITS 512
#endif
#define ECCref_MAX_LEN ((ECCref_MAX_BITS + 7) / 8)
#define RSAref_MAX_BITS 2048
#define RSAref_MAX_LEN ((RSAref_MAX_BITS + 7) / 8)
#define RSAref_MAX_PLEN ((RSAref_MAX_LEN + 1) / 2)

#pragma pack(push, 1)
typedef struct {
    unsigned char IssuerName[40], DeviceName[16], DeviceSerial[16];
    unsigned int DeviceVersion, StandardVersion, AsymAlgAbility[2], SymAlgAbility, HashAlgAbility, BufferSize;
} DEVICEINFO;

/* Numbers are big-endian, at the right of their field. */
typedef struct {
    unsigned int bits;
    unsigned char x[ECCref_MAX_LEN], y[ECCref_MAX_LEN];
} ECCrefPublicKey;

typedef struct {
    unsigned int bits;
    unsigned char K[ECCref_MAX_LEN];
} ECCrefPrivateKey;

/* M is C3, and C is C2, of L octets. */
typedef struct {
    unsigned char x[ECCref_MAX_LEN], y[ECCref_MAX_LEN], M[32];
    unsigned int L;
    unsigned char C[1];
} ECCCipher;

typedef struct {
    unsigned char r[ECCref_MAX_LEN], s[ECCref_MAX_LEN];
} ECCSignature;

typedef struct {
    unsigned int bits;
    unsigned char m[RSAref_MAX_LEN], e[RSAref_MAX_LEN];
} RSArefPublicKey;

typedef struct {
    unsigned int bits;
    unsigned char m[RSAref_MAX_LEN], e[RSAref_MAX_LEN], d[RSAref_MAX_LEN];
    unsigned char prime[2][RSAref_MAX_PLEN], pexp[2][RSAref_MAX_PLEN], coef[RSAref_MAX_PLEN];
} RSArefPrivateKey;
#pragma pack(pop)
";

/// The text of `include/softsdf.h`.
#[must_use]
pub fn text() -> String {
    let mut header = format!("{BEGINNING}#define SDR_OK 0x0\n");
    for code in Code::ALL {
        let _ = writeln!(header, "#define {} {:#010x} /* {code} */", code.name(), code.number());
    }
    header.push('\n');
    for (name, number) in ALGORITHMS {
        let _ = writeln!(header, "#define {name} {number:#010x}");
    }
    header += STRUCTURES;
    declarations().map(one).for_each(|declaration| header += &declaration);
    header + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n"
}

fn one(Declaration { doc, name, parameters }: &Declaration) -> String {
    let parameters: Vec<String> =
        parameters.iter().map(|(kind, name)| format!("{kind}{name}")).collect();
    format!("\n/* {doc} */\nint {name}({});\n", parameters.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_in_the_tree_is_the_one_of_these_functions() {
        assert_eq!(text(), include_str!("../include/softsdf.h"));
    }

    /// GM/T 0018-2012, 6; and two that its drafts had.
    #[test]
    fn every_function_of_the_standard_is_there_once() {
        let names: Vec<_> = declarations().map(|declaration| declaration.name).collect();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!((names.len(), once.len()), (47, 47));
    }
}
