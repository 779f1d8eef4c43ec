//! Key exchange (GB/T 32918.3-2016) is not offered. Its example is computed here from the parts
//! that are: Z, multiples of points, and the key stream.

use super::sm2::{other_curve, scalar};
use super::{Accepted, Plan};
use crate::sm2::{Point, PublicKey, SecretKey, SignerId, key_stream};
use crate::sm3;
use ::sm2::{ProjectivePoint, Scalar};

#[test]
fn key_exchange() {
    let plan = Plan {
        skip: other_curve,
        skipped: &[("the example curve of 2010", 1)],
        ..Plan::all("sm2_kex.json")
    };
    plan.run(|case| {
        let key = |field| SecretKey::from_be_bytes(&case.octets(field)).unwrap();
        let id = |field| SignerId::new(&case.octets(field)).unwrap();
        let (za, zb) = (key("d_a").public().za(&id("id_a")), key("d_b").public().za(&id("id_b")));
        assert_eq!((za, zb), (case.array("z_a"), case.array("z_b")), "{}", case.id());
        let (ra, rb) = (scalar(case.array("r_a")), scalar(case.array("r_b")));
        let (one, two) = (Point::base_multiple(&ra), Point::base_multiple(&rb));
        assert_eq!(one.sec1()[..], case.octets("R_a"), "{}", case.id());
        assert_eq!(two.sec1()[..], case.octets("R_b"), "{}", case.id());

        // A4 to A7 on the side of the initiator
        let ta = scalar(case.array("d_a")) + half(&one) * ra;
        let pb = PublicKey::from_sec1(&case.octets("p_b")).unwrap();
        let sum = projective(pb.as_sec1()) + projective(two.sec1()) * half(&two);
        let v = Point::from_sec1(sec1(&sum).as_slice()).unwrap().multiple(&ta);
        assert_eq!((*v.x(), *v.y()), (case.array("x_v"), case.array("y_v")), "{}", case.id());
        let key = key_stream(&[&v.sec1()[1..], &za, &zb].concat(), case.number("key_bytes"));
        assert_eq!(*key, case.octets("key"), "{}", case.id());

        let inner = [&v.x()[..], &za, &zb, &one.sec1()[1..], &two.sec1()[1..]].concat();
        let confirmation =
            |side| sm3::digest(&[&[side], &v.y()[..], &sm3::digest(&inner)].concat());
        assert_eq!(confirmation(2)[..], case.octets("s_b"), "{}", case.id());
        assert_eq!(confirmation(3)[..], case.octets("s_a"), "{}", case.id());
        Accepted
    });
}

/// 2¹²⁷ + (x mod 2¹²⁷)
fn half(point: &Point) -> Scalar {
    let mut octets = [0; 32];
    octets[16..].copy_from_slice(&point.x()[16..]);
    octets[16] |= 0x80;
    scalar(octets)
}

fn projective(octets: &[u8; 65]) -> ProjectivePoint {
    ::sm2::PublicKey::from_sec1_bytes(octets).unwrap().to_projective()
}

fn sec1(point: &ProjectivePoint) -> Vec<u8> {
    use ::sm2::elliptic_curve::sec1::ToSec1Point;
    point.to_affine().to_sec1_point(false).as_bytes().to_vec()
}
