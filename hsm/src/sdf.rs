//! Cryptographic devices (密码设备应用接口规范, GM/T 0018-2012) as octets: the codes, numbers and packed
//! structures that cross the C interface, for whoever calls a device and whoever is one.
//!
//! Nothing here calls anything. What a device answers is read strictly: numbers stand at the right of
//! their field with zeros before them, points are on the curve, lengths are within bounds.

mod code;
mod layout;

pub use code::Code;
pub use layout::{BadLayout, CIPHER_HEAD, Layout, MAX_CIPHER, MAX_STRUCTURE};

/// Numbers of algorithms (GB/T 33560-2017, 7).
pub mod algorithm {
    /// SGD_SM4_ECB.
    pub const SM4_ECB: u32 = 0x0401;
    /// SGD_SM4_CBC.
    pub const SM4_CBC: u32 = 0x0402;
    /// SGD_SM4_MAC.
    pub const SM4_MAC: u32 = 0x0410;
    /// SGD_SM3.
    pub const SM3: u32 = 0x0001;
    /// SGD_SM2: the algorithm, whatever it is used for.
    pub const SM2: u32 = 0x0002_0100;
    /// SGD_SM2_1: SM2 signatures.
    pub const SM2_SIGN: u32 = 0x0002_0200;
    /// SGD_SM2_3: SM2 encryption.
    pub const SM2_ENCRYPT: u32 = 0x0002_0800;
    /// SGD_SM3_SM2: SM2 signatures over SM3.
    pub const SM3_SM2: u32 = 0x0002_0201;
    /// SGD_SM3_SM2 as headers made from older texts compute it, SGD_SM3 | SGD_SM2.
    pub const SM3_SM2_OLD: u32 = SM3 | SM2;
}
