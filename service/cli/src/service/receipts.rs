//! Receipts that come with answers.

use std::path::Path;

use audit::{
    check::Verdict,
    receipt::{ASKED, GIVEN, MAX_RECEIPT, Receipt},
};
use tonic::metadata::{MetadataMap, MetadataValue};

use crate::{
    failure::Failure,
    files::{self, Audience},
    text::problems,
};

/// Asks for receipts in a call.
pub(super) fn ask(call: &mut MetadataMap) {
    let (name, wanted) = ASKED;
    call.insert(name, MetadataValue::from_static(wanted));
}

/// Puts the receipts of an answer into a directory, each under its position, once they hold by the key that they name; how many
/// there were.
pub(super) fn keep(answer: &MetadataMap, directory: &Path) -> Result<usize, Failure> {
    let mut kept = 0;
    for given in answer.get_all_bin(GIVEN) {
        let octets = given.to_bytes().map_err(|_| problems::RECEIPT_WRONG)?;
        let receipt = Some(&octets[..])
            .filter(|octets| octets.len() <= MAX_RECEIPT)
            .and_then(|octets| Receipt::read(octets).ok())
            .filter(|receipt| receipt.check(&receipt.key, &[]).verdict == Verdict::Valid)
            .ok_or(problems::RECEIPT_WRONG)?;
        files::make_directory(directory)?;
        let path = directory.join(format!("receipt-{}.txt", receipt.position));
        files::write(&path, &octets, Audience::Owner)?;
        kept += 1;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn told(octets: &[u8]) -> (Result<usize, String>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let mut answer = MetadataMap::new();
        answer.append_bin(GIVEN, MetadataValue::from_bytes(octets));
        let kept = keep(&answer, directory.path()).map_err(|failure| failure.reason.clone());
        let names = std::fs::read_dir(directory.path()).unwrap();
        (kept, names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect())
    }

    #[test]
    fn only_a_receipt_that_holds_is_kept() {
        let log = testing::Log::of(1);
        let leaf = audit::tree::leaf_hash(log.leaves().first().unwrap());
        let (key, checkpoint) = (log.key.clone(), log.checkpoint(1));
        let receipt = Receipt { key, position: 0, leaf, proof: Vec::new(), checkpoint };
        let good = receipt.write().into_bytes();
        assert_eq!(told(&good), (Ok(1), vec!["receipt-0.txt".to_owned()]));
        let wrong = Err("RECEIPT_WRONG".to_owned());
        for other in
            [Receipt { leaf: [0; 32], ..receipt.clone() }, Receipt { position: 1, ..receipt }]
        {
            assert_eq!(told(other.write().as_bytes()), (wrong.clone(), Vec::new()));
        }
        assert_eq!(told(&good[..good.len() - 1]), (wrong, Vec::new()));
    }
}
