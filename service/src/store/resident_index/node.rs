//! Nodes of the index as they are stored: four levels of the binary tree in one, so that a change writes a fifth of the
//! rows. A node is named by the half octets of the keys that lead to it.

use audit::{
    index::{MAX_PATH, Part, Standing},
    tree::Hash,
};

/// Ways out of a node.
pub(super) const WAYS: usize = 16;
/// Levels of the binary tree in a node.
const LEVELS: usize = 4;
/// Nodes on the longest way.
const DEPTHS: usize = MAX_PATH / LEVELS;

/// What one way leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One resident.
    Resident(Hash, Standing),
    /// Several, in a node of their own, whose hash this is.
    Below(Hash),
}

impl Way {
    fn part(&self) -> Part {
        match self {
            Self::Resident(key, standing) => Part::One(standing.leaf(key)),
            Self::Below(hash) => Part::Many(*hash),
        }
    }
}

/// A node; a way that is `None` leads to nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) ways: [Option<Way>; WAYS],
}

/// The half octet of a key at a depth.
pub(super) fn way(key: &Hash, depth: usize) -> usize {
    usize::from(key[depth / 2] >> (4 * (1 - depth % 2)) & 0x0f)
}

impl Node {
    /// The levels of the binary tree in it, from the ways up to the whole.
    fn levels(&self) -> [Vec<Part>; LEVELS + 1] {
        let mut parts: Vec<_> =
            self.ways.iter().map(|way| way.as_ref().map_or(Part::Empty, Way::part)).collect();
        std::array::from_fn(|_| {
            let above = parts.chunks(2).map(|pair| match *pair {
                [left, right] => Part::over(left, right),
                _ => Part::Empty,
            });
            let above = above.collect();
            std::mem::replace(&mut parts, above)
        })
    }

    /// All that is below it.
    pub(super) fn part(&self) -> Part {
        self.levels()[LEVELS][0]
    }

    /// Whether each resident stands where their key leads at this depth. No hash tells: one who is alone below has the
    /// same wherever there.
    pub(super) fn is_in_order(&self, depth: usize) -> bool {
        self.ways.iter().enumerate().all(|(at, there)| match there {
            Some(Way::Resident(key, _)) => way(key, depth) == at,
            Some(Way::Below(_)) => depth + 1 < DEPTHS,
            None => true,
        })
    }

    /// The hashes beside what a way leads to, from there upwards.
    pub(super) fn beside(&self, way: usize) -> Vec<Hash> {
        let levels = self.levels();
        let beside = (0..LEVELS).filter_map(|level| {
            let at = way >> level;
            // A resident who is alone below stands at the node above as well.
            let several = matches!(levels[level + 1][at / 2], Part::Many(_));
            several.then(|| levels[level][at ^ 1].hash())
        });
        beside.collect()
    }

    /// For the database: of each way that leads somewhere its number and, for a resident, 10 more, and what it leads to.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        for (at, way) in (0_u8..).zip(&self.ways) {
            match way {
                Some(Way::Resident(key, Standing { count, chain })) => {
                    octets.push(at | 0x10);
                    octets.extend_from_slice(key);
                    octets.extend_from_slice(&count.to_be_bytes());
                    octets.extend_from_slice(chain);
                }
                Some(Way::Below(hash)) => {
                    octets.push(at);
                    octets.extend_from_slice(hash);
                }
                None => {}
            }
        }
        octets
    }

    /// From the database. Whether it is the node that is meant its hash and [`is_in_order`](Self::is_in_order) tell.
    pub(super) fn read(mut octets: &[u8]) -> Option<Self> {
        let mut node = Self::default();
        while let Some((&first, rest)) = octets.split_first() {
            octets = rest;
            let way = if first & 0x10 != 0 {
                let key = *take(&mut octets)?;
                let count = u64::from_be_bytes(*take(&mut octets)?);
                Way::Resident(key, Standing { count, chain: *take(&mut octets)? })
            } else {
                Way::Below(*take(&mut octets)?)
            };
            *node.ways.get_mut(usize::from(first & !0x10))? = Some(way);
        }
        Some(node)
    }
}

fn take<'a, const N: usize>(octets: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = octets.split_first_chunk()?;
    *octets = rest;
    Some(taken)
}
