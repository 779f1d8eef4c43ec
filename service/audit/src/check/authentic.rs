//! Which hashes are the ones that were signed. A block of leaves between two checkpoints is settled
//! at once: tiles and entries each offer their hashes, and the signed roots choose.

use std::{collections::BTreeMap, ops::Range};

use super::{Finding, Findings, Log, checkpoints::Signed, naming::Naming};
use crate::{
    table::ANCHOR,
    tile::{self, TileId, WIDTH},
    tree::{Frontier, Hash, Node, left_nodes, subtree_hash},
};

/// A block that was settled.
pub(super) struct Block {
    /// First leaf.
    pub(super) begin: u64,
    /// The authentic leaf hashes; `None` where only the hash above a whole tile is known.
    pub(super) leaves: Vec<Option<Hash>>,
    /// What the tiles say of the leaves after the block.
    pub(super) ahead: Vec<Hash>,
    /// Nothing that is here leads to what was signed: these are what is likeliest.
    pub(super) lost: bool,
}

/// What one tile's worth of leaves may have been.
#[derive(Clone, PartialEq)]
enum Candidate {
    /// These leaf hashes, with the hash above them where they fill a tile.
    Leaves(Vec<Hash>, Option<Hash>),
    /// Known by the hash above only.
    Above(Hash),
}

impl Candidate {
    fn leaves(leaves: Vec<Hash>) -> Self {
        let full = leaves.len() as u64 == WIDTH;
        let above = if full { subtree_hash(&leaves) } else { None };
        Self::Leaves(leaves, above)
    }

    fn above(&self) -> Option<Hash> {
        match self {
            Self::Leaves(_, above) => *above,
            Self::Above(above) => Some(*above),
        }
    }
}

pub(super) struct Tree<'a> {
    signed: &'a Signed,
    frontier: Frontier,
    /// Up to where a signed root agreed.
    confirmed: u64,
    /// Nothing after an unsettled block can be held against a root.
    lost: bool,
    /// By level, hashes that await the rest of their tile.
    above: Vec<Vec<Hash>>,
    /// The tile of each level that was read last.
    cache: Vec<(TileId, Option<Vec<Hash>>)>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(signed: &'a Signed) -> Self {
        Self {
            signed,
            frontier: Frontier::new(),
            confirmed: 0,
            lost: false,
            above: Vec::new(),
            cache: Vec::new(),
        }
    }

    /// The tree over the leaves before `begin`, a multiple of [`ANCHOR`], as its tiles have it, and whether that leads
    /// to what was signed of them. Where it does not, nothing after it can be held against a root.
    pub(super) fn beginning<L: Log>(
        log: &mut L,
        signed: &'a Signed,
        begin: u64,
    ) -> Result<(Self, bool), L::Error> {
        let mut tree = Self::new(signed);
        for id in tile::right_edge(begin) {
            let tile = tree.tile(log, id, id.width(signed.size) as usize)?;
            // What is not there is reported with the leaves that it is above.
            let width = id.width(begin) as usize;
            let mut hashes = tile.unwrap_or_default();
            hashes.resize(width, [0; 32]);
            tree.above.resize(tree.above.len().max(usize::from(id.level)), Vec::new());
            tree.above[usize::from(id.level) - 1] = hashes;
        }
        let node = |node: Node| {
            let (id, range) = tile::covering(node);
            let row = usize::from(id.level).checked_sub(1).and_then(|row| tree.above.get(row));
            row.and_then(|row| row.get(range)).and_then(subtree_hash).unwrap_or_default()
        };
        let nodes = left_nodes(begin).into_iter().map(node).collect();
        tree.frontier = Frontier::from_nodes(begin, nodes).unwrap_or_default();
        tree.confirmed = begin;
        let root = signed.own.get(&begin).copied();
        // Where that checkpoint is gone, the next one tells.
        tree.lost = begin > 0 && root.is_some_and(|root| root != tree.frontier.root());
        let follows = begin == 0 || root == Some(tree.frontier.root());
        Ok((tree, follows))
    }

    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The leaves of the next block.
    pub(super) fn block(&self) -> Range<u64> {
        let begin = self.frontier.size();
        begin..self.signed.size.min((begin / ANCHOR + 1) * ANCHOR)
    }

    /// Decides what the next block was when it was signed.
    pub(super) fn settle<L: Log>(
        &mut self,
        log: &mut L,
        rows: &Naming,
        findings: &mut Findings,
    ) -> Result<Block, L::Error> {
        let Range { start: begin, end } = self.block();
        let mut offers = Vec::new();
        let mut at = begin;
        while at < end {
            let until = end.min((at / WIDTH + 1) * WIDTH);
            offers.push(self.offers(log, rows, at..until)?);
            at = until;
        }
        let ahead = self.ahead(log, end)?;
        let choice = self.choose(&offers, end, findings);
        self.report(log, &offers, &choice, findings)?;
        let leaves = choice.into_iter().zip(offers).flat_map(|(chosen, offers)| match chosen {
            Candidate::Leaves(leaves, _) if !offers.candidates.is_empty() => {
                leaves.into_iter().map(Some).collect()
            }
            _ => vec![None; offers.width],
        });
        Ok(Block { begin, leaves: leaves.collect(), ahead, lost: self.lost })
    }

    /// What the tile, the entries and the tile above say of these leaves, in this order.
    fn offers<L: Log>(
        &mut self,
        log: &mut L,
        rows: &Naming,
        range: Range<u64>,
    ) -> Result<Offers, L::Error> {
        let width = (range.end - range.start) as usize;
        let id = TileId { level: 0, index: range.start / WIDTH };
        let tile = self.tile(log, id, width)?;
        let entries = rows.hashes(range.clone());
        let mut candidates = Vec::new();
        if let Some(tile) = &tile {
            candidates.push(Candidate::leaves(tile.clone()));
        }
        if let Some(entries) = entries.filter(|entries| Some(entries) != tile.as_ref()) {
            candidates.push(Candidate::leaves(entries));
        }
        if width as u64 == WIDTH {
            let id = TileId { level: 1, index: id.index / WIDTH };
            let tile = self.tile(log, id, id.width(self.signed.size) as usize)?;
            let above = tile.map(|tile| tile[(range.start / WIDTH % WIDTH) as usize]);
            if let Some(above) = above {
                candidates.sort_by_key(|candidate| candidate.above() != Some(above));
                if candidates.first().and_then(Candidate::above) != Some(above) {
                    candidates.push(Candidate::Above(above));
                }
            }
        }
        Ok(Offers { begin: range.start, width, tile, candidates })
    }

    /// The leaf hashes of the tile that begins at `begin`.
    fn ahead<L: Log>(&mut self, log: &mut L, begin: u64) -> Result<Vec<Hash>, L::Error> {
        let id = TileId { level: 0, index: begin / WIDTH };
        match (begin % WIDTH, id.width(self.signed.size)) {
            (0, width) if width > 0 => Ok(self.tile(log, id, width as usize)?.unwrap_or_default()),
            _ => Ok(Vec::new()),
        }
    }

    /// The first hashes of a tile, which must not have another number of them.
    fn tile<L: Log>(
        &mut self,
        log: &mut L,
        id: TileId,
        width: usize,
    ) -> Result<Option<Vec<Hash>>, L::Error> {
        if let Some((_, tile)) = self.cache.iter().find(|(cached, _)| *cached == id) {
            return Ok(tile.clone());
        }
        let tile = log.tile(id)?.as_deref().and_then(tile::hashes);
        // Under a checkpoint that was altered a tile may rightly reach further than can be told.
        let told = self.signed.claimed <= self.signed.size;
        let tile = tile.filter(|tile| tile.len() == width || (tile.len() > width && !told));
        let tile = tile.map(|mut tile| {
            tile.truncate(width);
            tile
        });
        self.cache.retain(|(cached, _)| cached.level != id.level);
        self.cache.push((id, tile.clone()));
        Ok(tile)
    }

    /// The first combination of candidates that leads to every signed root of the block.
    fn choose(&mut self, offers: &[Offers], end: u64, findings: &mut Findings) -> Vec<Candidate> {
        let begin = self.frontier.size();
        let signed = self.signed.own.range(begin + 1..=end).next().is_some();
        let complete = offers.iter().all(|offers| !offers.candidates.is_empty());
        let first = |offers: &Offers| {
            let none = || Candidate::Leaves(vec![[0; 32]; offers.width], None);
            offers.candidates.first().cloned().unwrap_or_else(none)
        };
        let mut choice: Vec<_> = offers.iter().map(first).collect();
        if !self.lost && (signed || !complete) {
            let mut combinations = if complete { combinations(offers) } else { Vec::new() };
            let agreeing =
                combinations.iter().position(|choice| self.walk(choice, &self.signed.own).is_ok());
            match agreeing {
                Some(at) => {
                    choice = combinations.swap_remove(at);
                    self.confirmed = end;
                }
                // Nothing that is here leads to what was signed.
                None => {
                    self.lost = true;
                    findings.add(Finding::AlteredWithin { from: self.confirmed, until: end });
                }
            }
        }
        if !self.lost
            && let Err((_, size)) = self.walk(&choice, &self.signed.held)
            && !findings.listed.contains(&Finding::Forked { size })
        {
            findings.add(Finding::Forked { size });
        }
        self.frontier = match self.walk(&choice, &BTreeMap::new()) {
            Ok(frontier) | Err((frontier, _)) => frontier,
        };
        choice
    }

    /// The frontier with these candidates appended; fails with the size at which the first of
    /// `roots` disagrees.
    fn walk(
        &self,
        choice: &[Candidate],
        roots: &BTreeMap<u64, Hash>,
    ) -> Result<Frontier, (Frontier, u64)> {
        let mut frontier = self.frontier.clone();
        let disagrees = |frontier: &Frontier| {
            roots.get(&frontier.size()).is_some_and(|root| *root != frontier.root())
        };
        for candidate in choice {
            let begin = frontier.size();
            let within = |leaves: &[Hash]| {
                roots.range(begin + 1..begin + leaves.len() as u64).next().is_some()
            };
            match candidate {
                Candidate::Leaves(leaves, above) if above.is_none() || within(leaves) => {
                    for leaf in leaves {
                        frontier.push(*leaf);
                        if disagrees(&frontier) {
                            let size = frontier.size();
                            return Err((frontier, size));
                        }
                    }
                }
                whole => {
                    let above = whole.above().unwrap_or_default();
                    let fits = frontier.push_subtree(tile::HEIGHT, above);
                    debug_assert!(fits, "a whole tile begins at a multiple of its width");
                    if disagrees(&frontier) {
                        let size = frontier.size();
                        return Err((frontier, size));
                    }
                }
            }
        }
        Ok(frontier)
    }

    /// Holds the tiles against what was chosen.
    fn report<L: Log>(
        &mut self,
        log: &mut L,
        offers: &[Offers],
        choice: &[Candidate],
        findings: &mut Findings,
    ) -> Result<(), L::Error> {
        if self.lost {
            return Ok(());
        }
        for (offers, chosen) in offers.iter().zip(choice) {
            let index = offers.begin / WIDTH;
            match (&offers.tile, chosen) {
                (_, Candidate::Above(_)) => findings.add(Finding::AlteredWithin {
                    from: offers.begin,
                    until: offers.begin + offers.width as u64,
                }),
                (None, _) => findings.add(Finding::TileMissing { level: 0, index }),
                (Some(tile), Candidate::Leaves(leaves, _)) => {
                    if let Some(hash) = tile.iter().zip(leaves).position(|(a, b)| a != b) {
                        findings.add(Finding::TileAltered { level: 0, index, hash: hash as u64 });
                    }
                }
            }
            if let Some(above) = chosen.above() {
                self.report_above(log, 1, index, above, findings)?;
            }
        }
        Ok(())
    }

    /// Holds the hash above a full tile against the tile that should repeat it, and so on upwards.
    fn report_above<L: Log>(
        &mut self,
        log: &mut L,
        level: u8,
        node: u64,
        hash: Hash,
        findings: &mut Findings,
    ) -> Result<(), L::Error> {
        let (index, at) = (node / WIDTH, node % WIDTH);
        let id = TileId { level, index };
        match self.tile(log, id, id.width(self.signed.size) as usize)? {
            None if at == 0 => findings.add(Finding::TileMissing { level, index }),
            Some(tile) if tile[at as usize] != hash => {
                findings.add(Finding::TileAltered { level, index, hash: at });
            }
            _ => {}
        }
        self.above.resize(self.above.len().max(usize::from(level)), Vec::new());
        let row = &mut self.above[usize::from(level) - 1];
        row.push(hash);
        if row.len() as u64 == WIDTH
            && let Some(hash) = subtree_hash(&std::mem::take(row))
        {
            self.report_above(log, level + 1, index, hash, findings)?;
        }
        Ok(())
    }
}

/// What is offered for the leaves of one tile.
struct Offers {
    begin: u64,
    width: usize,
    /// The tile itself, when it is there in full.
    tile: Option<Vec<Hash>>,
    /// Without repetitions, the likeliest first.
    candidates: Vec<Candidate>,
}

/// Every way to take one candidate of each; four tiles of up to three make 81.
fn combinations(offers: &[Offers]) -> Vec<Vec<Candidate>> {
    offers.iter().fold(vec![Vec::new()], |combinations, offers| {
        let extended = combinations.iter().flat_map(|choice| {
            offers
                .candidates
                .iter()
                .map(|candidate| choice.iter().cloned().chain([candidate.clone()]).collect())
        });
        extended.collect()
    })
}
