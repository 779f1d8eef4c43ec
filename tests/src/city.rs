//! A second hospital on the same service, to which residents are referred.

use service::demo::people::{DESK, DOCTOR, Institution, Staff};

use crate::hospital::Hospital;
use crate::relay::open_visit_at;

const CITY: Institution =
    Institution { credit_code: "91350100M000100Y43", name: "虚构市医院", region: "990000" };
const CITY_DESK: Staff = Staff { key: "city-desk", number: "K101", ..DESK };
/// Its doctor, who attends the patient there.
pub const CITY_DOCTOR: Staff = Staff { key: "city-doctor", number: "D101", ..DOCTOR };

/// It, with an open visit of the patient's.
#[derive(Debug)]
pub struct City {
    /// The institution's id.
    pub institution: String,
    /// The visit's.
    pub visit: String,
}

impl City {
    /// Puts it on record with its people, and opens the visit.
    ///
    /// # Panics
    /// When something is refused.
    pub async fn open(hospital: &Hospital) -> Self {
        let institution = hospital.stage.register_institution(&CITY).expect("it is registered");
        hospital.stage.engage(&institution, &CITY_DESK).expect("a desk");
        let doctor = hospital.stage.engage(&institution, &CITY_DOCTOR).expect("a doctor");
        let visit = open_visit_at(hospital, CITY_DESK.key, doctor).await;
        Self { institution, visit }
    }
}
