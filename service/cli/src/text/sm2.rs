//! Conventions of SM2: the word for programs, and the sentence for people.

use sm2_doctor::{
    certificate::{Parameters, Role, Tagging},
    ciphertext,
    key::{Curve, HMAC_SM3, PointForm, PrivateForm, PublicForm},
    signature::{self, Hashed, Message, Z as ZForm},
};

use super::Text;
use crate::page::Cell;

/// A choice, for programs and for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) word: &'static str,
    pub(crate) text: Text,
}

const fn named(word: &'static str, zh: &'static str, en: &'static str) -> Named {
    Named { word, text: Text::new(zh, en) }
}

macro_rules! texts {
    ($($name:ident: $zh:literal, $en:literal;)+) => {
        $(pub(crate) const $name: Text = Text::new($zh, $en);)+
    };
}

texts! {
    SIGNATURE: "SM2 签名", "SM2 signature";
    CIPHERTEXT: "SM2 密文", "SM2 ciphertext";
    KEY: "SM2 密钥", "SM2 key";
    CERTIFICATE: "SM2 证书", "SM2 certificate";
    STANDARD: "符合标准的写法", "This is what the standards ask for";
    NOT_STANDARD: "与标准不同，见上", "This is not what the standards ask for; see above";
    WRITTEN: "写法", "Written as";
    COULD_BE: "可能的写法", "Could be written as";
    MESSAGE: "原文", "Message";
    IDENTIFIER: "签名者标识", "Signer's identifier";
    Z: "杂凑前的 Z", "Z before the digest";
    NO_Z: "没有 Z", "none";
    SIGNED: "签名的内容", "What was signed";
    ITSELF: "给出的 32 字节本身就是 e", "the 32 octets themselves, as e";
    DEFAULT_IDENTIFIER: "默认 1234567812345678", "the default, 1234567812345678";
    EMPTY_IDENTIFIER: "空（OpenSSL 命令未指定 distid 时如此）", "empty, as OpenSSL's commands have it when no distid is given";
    TLS_IDENTIFIER: "TLSv1.3+GM+Cipher+Suite（RFC 8998）", "TLSv1.3+GM+Cipher+Suite (RFC 8998)";
    WITH_OPENSSL: "用 OpenSSL 重现", "With OpenSSL";
    WITH_GMSSL: "用 GmSSL 重现", "With GmSSL";
    AGREED: "标识须由双方事先约定；未约定时应为默认标识", "Both sides have to have agreed on this identifier; where they did not, it is the default one";
    VERIFIES_NOWHERE: "按已知的任何约定都验不过：原文、公钥或签名不是一套，或标识是别的（--id）", "No known convention makes it verify: message, key and signature do not belong together, or the identifier is another one (--id)";
    LENGTH: "明文长度", "Octets of plaintext";
    WITH_THE_KEY: "用此私钥", "With this key";
    OPENS: "能解密", "it decrypts";
    SHUT: "不能解密", "it does not decrypt";
    ORDER_UNKNOWN: "没有私钥时无法区分 C1C3C2 与 C1C2C3；请用 --key 给出私钥", "C1C3C2 and C1C2C3 cannot be told apart without the private key; name it with --key";
    DECRYPTS_NOWHERE: "按已知的任何写法都不能用此私钥解密：密文属于别的密钥，或已被改动", "No known form decrypts with this key: it is for another key, or was changed";
    POINT: "点的写法", "Point written as";
    CURVE: "曲线", "Curve";
    OTHER_CURVE: "其他算法或曲线 {}", "another algorithm or curve, {}";
    PUBLIC_KEY: "公钥", "Public key";
    OTHER_PUBLIC_KEY: "旁边的公钥不属于此私钥", "The public key beside it is not that of this private key";
    NO_KEY_OF_THE_CURVE: "不是 SM2 曲线上的有效密钥", "This is no key of the SM2 curve";
    TRAILING: "其后还有多余的字节", "Octets follow it";
    ENCRYPTED: "加密的私钥（PKCS#8，PBES2）", "an encrypted private key (PKCS#8, PBES2)";
    CIPHER: "加密算法", "Cipher";
    PRF: "口令派生函数", "Function under PBKDF2";
    ROUNDS: "迭代次数", "Rounds";
    OTHER_IDENTIFIER: "其他 {}", "another one, {}";
    NAMED_IDENTIFIER: "{}（{}）", "{} ({})";
    PRF_DEFAULT: "未写明（即 HMAC-SHA1）", "left out, which means HMAC-SHA1";
    INNER_ALGORITHM: "证书内的签名算法", "Algorithm, within";
    OUTER_ALGORITHM: "证书外的签名算法", "Algorithm, beside the signature";
    ALGORITHMS_DIFFER: "内外签名算法不一致，应拒绝此证书", "The two algorithms differ; the certificate has to be refused";
    ROLE: "密钥用途", "The key is for";
    IDENTITY: "身份扩展", "Identity extension";
    ISSUER_NEEDED: "未核对签名；请用 --issuer 给出颁发者证书", "The signature was not tried; name the issuer's certificate with --issuer";
    ISSUER_DOES_NOT_VERIFY: "按已知的任何约定都验不过颁发者的签名", "No known convention makes the issuer's signature verify";
}

pub(crate) fn signature_form(form: signature::Form) -> Named {
    use signature::Form;
    match form {
        Form::Der => named("der", "DER（GM/T 0009）", "DER (GM/T 0009)"),
        Form::NotQuiteDer => named(
            "not-quite-der",
            "类似 DER，但编码不规范",
            "almost DER, but not encoded as it should be",
        ),
        Form::Raw => named("raw", "r‖s，各 32 字节", "r‖s, 32 octets each"),
        Form::Device => named(
            "device",
            "设备格式 ECCSignature，r、s 各 64 字节（GM/T 0018）",
            "ECCSignature of devices, r and s in 64 octets each (GM/T 0018)",
        ),
        Form::LittleEndian => {
            named("little-endian", "r‖s，各自低位字节在前", "r‖s, each with its last octet first")
        }
        Form::SwappedDer => named("swapped-der", "DER，但 s 在 r 之前", "DER with s before r"),
        Form::SwappedRaw => named("swapped-raw", "s‖r，次序颠倒", "s‖r, the wrong way round"),
    }
}

pub(crate) fn z(z: ZForm) -> Named {
    match z {
        ZForm::Standard => named("standard", "按标准计算", "as the standard has it"),
        ZForm::LengthInOctets => named(
            "length-in-octets",
            "标识长度按字节计（应按比特）",
            "the identifier's length in octets instead of bits",
        ),
        ZForm::LengthTurned => named(
            "length-little-endian",
            "标识长度低位字节在前",
            "the identifier's length with its low octet first",
        ),
        ZForm::PrefixedKey => {
            named("prefixed-key", "公钥前多了 04", "the public key with 04 before it")
        }
        ZForm::NoCurve => named("no-curve", "缺少曲线参数", "without the parameters of the curve"),
    }
}

pub(crate) fn hashed(hashed: Hashed) -> Named {
    match hashed {
        Hashed::Message => named("message", "原文", "the message"),
        Hashed::Digest => named(
            "digest",
            "原文的 SM3 摘要（杂凑了两次）",
            "the SM3 digest of the message: digested twice",
        ),
    }
}

pub(crate) fn message(message: Message) -> Named {
    match message {
        Message::AsGiven => named("as-given", "与文件相同", "as in the file"),
        Message::WithoutLineEnd => named(
            "without-line-end",
            "签名时没有文件末尾的换行",
            "the line end of the file was not signed",
        ),
        Message::WithLineEnd => named(
            "with-line-end",
            "签名时末尾多了换行",
            "a line end was signed that the file has not",
        ),
        Message::HexDigits => {
            named("hex-digits", "签名的是原文的十六进制文字", "its hexadecimal digits were signed")
        }
    }
}

pub(crate) fn ciphertext_form(form: ciphertext::Form) -> Named {
    use ciphertext::Form;
    match form {
        Form::Der => {
            named("der", "DER，x、y、C3、C2（GM/T 0009）", "DER of x, y, C3, C2 (GM/T 0009)")
        }
        Form::NotQuiteDer => named(
            "not-quite-der",
            "类似 DER，但编码不规范",
            "almost DER, but not encoded as it should be",
        ),
        Form::DerTextFirst => named("der-c2-c3", "DER，但 C2 在 C3 之前", "DER with C2 before C3"),
        Form::C1C3C2 => named("c1c3c2", "C1‖C3‖C2（GB/T 32918.4）", "C1‖C3‖C2 (GB/T 32918.4)"),
        Form::C1C2C3 => named("c1c2c3", "C1‖C2‖C3（2010 年文本）", "C1‖C2‖C3 (text of 2010)"),
        Form::C1C3C2WithoutPrefix => {
            named("c1c3c2-without-04", "C1‖C3‖C2，C1 缺少 04", "C1‖C3‖C2, without 04 before C1")
        }
        Form::C1C2C3WithoutPrefix => {
            named("c1c2c3-without-04", "C1‖C2‖C3，C1 缺少 04", "C1‖C2‖C3, without 04 before C1")
        }
        Form::Device(64) => named(
            "device-512",
            "设备格式 ECCCipher，坐标各 64 字节（GM/T 0018）",
            "ECCCipher of devices, 64 octets for each coordinate (GM/T 0018)",
        ),
        Form::Device(_) => named(
            "device-256",
            "设备格式 ECCCipher，坐标各 32 字节",
            "ECCCipher of devices, 32 octets for each coordinate",
        ),
    }
}

pub(crate) fn point_form(form: PointForm) -> Named {
    match form {
        PointForm::Uncompressed => named("uncompressed", "04‖x‖y", "04‖x‖y"),
        PointForm::WithoutPrefix => named("without-04", "x‖y，没有 04", "x‖y without 04"),
        PointForm::Compressed => named("compressed", "压缩（02 或 03）", "compressed (02 or 03)"),
        PointForm::Hybrid => named("hybrid", "混合（06 或 07）", "hybrid (06 or 07)"),
    }
}

pub(crate) fn public_form(form: &PublicForm) -> Named {
    match form {
        PublicForm::Info(_) => {
            named("spki", "公钥（SubjectPublicKeyInfo）", "a public key (SubjectPublicKeyInfo)")
        }
        PublicForm::Certificate(_) => {
            named("certificate", "证书中的公钥", "the public key of a certificate")
        }
        PublicForm::Bare => named("bare", "只有点本身", "a point alone"),
        PublicForm::Device(64) => named(
            "device-512",
            "设备格式 ECCrefPublicKey，坐标各 64 字节（GM/T 0018）",
            "ECCrefPublicKey of devices, 64 octets for each coordinate (GM/T 0018)",
        ),
        PublicForm::Device(_) => named(
            "device-256",
            "设备格式 ECCrefPublicKey，坐标各 32 字节",
            "ECCrefPublicKey of devices, 32 octets for each coordinate",
        ),
    }
}

pub(crate) fn private_form(form: &PrivateForm) -> Named {
    match form {
        PrivateForm::Info(_) => {
            named("pkcs8", "私钥（PKCS#8），未加密", "a private key (PKCS#8), not encrypted")
        }
        PrivateForm::Sec1 => named(
            "sec1",
            "私钥（SEC 1 ECPrivateKey），未加密",
            "a private key (SEC 1 ECPrivateKey), not encrypted",
        ),
        PrivateForm::Bare => {
            named("bare", "只有私钥数值，未加密", "a private number alone, not encrypted")
        }
        PrivateForm::Device(64) => named(
            "device-512",
            "设备格式 ECCrefPrivateKey，64 字节，未加密",
            "ECCrefPrivateKey of devices, 64 octets, not encrypted",
        ),
        PrivateForm::Device(_) => named(
            "device-256",
            "设备格式 ECCrefPrivateKey，32 字节，未加密",
            "ECCrefPrivateKey of devices, 32 octets, not encrypted",
        ),
    }
}

pub(crate) fn curve(curve: &Curve) -> Named {
    match curve {
        Curve::Named => {
            named("named", "按名称 1.2.156.10197.1.301", "by its name, 1.2.156.10197.1.301")
        }
        Curve::Explicit => named(
            "explicit",
            "逐项写出参数：应拒绝，可被换成别的基点",
            "parameters written out: to be refused, another base point could stand there",
        ),
        Curve::AlgorithmItself => named(
            "algorithm",
            "1.2.156.10197.1.301 写在算法的位置",
            "1.2.156.10197.1.301 in the place of the algorithm",
        ),
        Curve::Other(_) => named("other", "其他曲线", "another curve"),
    }
}

pub(crate) fn parameters(parameters: Parameters) -> Named {
    match parameters {
        Parameters::Absent => named("absent", "{}，无参数", "{}, no parameters"),
        Parameters::Null => named(
            "null",
            "{}，参数为 NULL（旧证书有此写法）",
            "{}, parameters NULL, as in older certificates",
        ),
        Parameters::Other => {
            named("other", "{}，带有不应有的参数", "{}, with parameters that it must not have")
        }
    }
}

pub(crate) fn role(role: Role) -> Named {
    match role {
        Role::Signing => {
            named("signing", "签名（双证书之一）", "signing, one certificate of a pair")
        }
        Role::Encryption => {
            named("encryption", "加密（双证书之一）", "encryption, one certificate of a pair")
        }
        Role::Both => named(
            "both",
            "签名和加密：违反双证书规则",
            "signing and encryption, against the rule of two certificates",
        ),
        Role::Authority => {
            named("authority", "签发证书或吊销列表", "issuing certificates or revocation lists")
        }
    }
}

pub(crate) fn tagging(tagging: Tagging) -> Named {
    match tagging {
        Tagging::Explicit => named("explicit", "EXPLICIT 标记", "tagged EXPLICIT"),
        Tagging::Implicit => named("implicit", "IMPLICIT 标记", "tagged IMPLICIT"),
        Tagging::Bare => named("bare", "没有标记的 ASN.1 文字", "an ASN.1 text without a tag"),
        Tagging::Text => named("text", "不是 ASN.1，只有文字", "no ASN.1, the text alone"),
    }
}

/// A cipher by its identifier.
pub(crate) fn cipher(oid: &str) -> Cell {
    known(
        oid,
        match oid {
            "1.2.156.10197.1.104.2" => "SM4-CBC",
            "1.2.156.10197.1.104.8" => "SM4-GCM",
            "2.16.840.1.101.3.4.1.2" => "AES-128-CBC",
            "2.16.840.1.101.3.4.1.42" => "AES-256-CBC",
            _ => "",
        },
    )
}

/// The function under PBKDF2 by its identifier.
pub(crate) fn prf(oid: Option<&str>) -> Cell {
    let Some(oid) = oid else { return PRF_DEFAULT.into() };
    let [standard, openssl] = HMAC_SM3;
    known(
        oid,
        match oid {
            it if it == standard => "HMAC-SM3",
            it if it == openssl => "HMAC-SM3, OpenSSL",
            "1.2.840.113549.2.7" => "HMAC-SHA1",
            "1.2.840.113549.2.9" => "HMAC-SHA256",
            _ => "",
        },
    )
}

fn known(oid: &str, name: &str) -> Cell {
    match name {
        "" => Cell::Filled(OTHER_IDENTIFIER, vec![oid.to_owned()]),
        name => Cell::Filled(NAMED_IDENTIFIER, vec![oid.to_owned(), name.to_owned()]),
    }
}
