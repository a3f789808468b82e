//! The links between machines, and the faults that cut or hold them.
//!
//! Faults overlap, but turmoil keeps one state per direction, and `release` and `repair` discard
//! other faults of a link. Reasons are therefore kept here, and each change recomputes the link.

use std::collections::{BTreeMap, BTreeSet};

use turmoil::Sim;

use crate::fault::{Place, Reason};

#[derive(Default)]
struct Link {
    /// From the smaller place to the larger, and back.
    cut: [BTreeSet<Reason>; 2],
    held: BTreeSet<Reason>,
    /// The state in turmoil.
    is_cut: [bool; 2],
    is_held: bool,
}

pub struct Links {
    names: Vec<String>,
    links: BTreeMap<(Place, Place), Link>,
}

impl Links {
    pub fn new(names: Vec<String>) -> Links {
        Links { names, links: BTreeMap::new() }
    }

    pub fn cut(&mut self, sim: &Sim<'_>, from: Place, to: Place, why: Reason) {
        self.link(from, to).cut[usize::from(from > to)].insert(why);
        self.settle(sim, from, to);
    }

    pub fn hold(&mut self, sim: &Sim<'_>, a: Place, b: Place, why: Reason) {
        self.link(a, b).held.insert(why);
        self.settle(sim, a, b);
    }

    /// Undoes every change of this fault.
    pub fn mend(&mut self, sim: &Sim<'_>, why: Reason) {
        for link in self.links.values_mut() {
            for reasons in link.cut.iter_mut().chain([&mut link.held]) {
                reasons.remove(&why);
            }
        }
        self.settle_all(sim);
    }

    pub fn mend_all(&mut self, sim: &Sim<'_>) {
        for link in self.links.values_mut() {
            link.cut.iter_mut().for_each(BTreeSet::clear);
            link.held.clear();
        }
        self.settle_all(sim);
    }

    pub fn name(&self, place: Place) -> &str {
        &self.names[place]
    }

    fn link(&mut self, a: Place, b: Place) -> &mut Link {
        self.links.entry((a.min(b), a.max(b))).or_default()
    }

    fn settle_all(&mut self, sim: &Sim<'_>) {
        let all: Vec<(Place, Place)> = self.links.keys().copied().collect();
        all.into_iter().for_each(|(a, b)| self.settle(sim, a, b));
    }

    fn settle(&mut self, sim: &Sim<'_>, a: Place, b: Place) {
        let (a, b) = (a.min(b), a.max(b));
        let Links { names, links } = self;
        let Some(link) = links.get_mut(&(a, b)) else { return };
        let ends = [(&*names[a], &*names[b]), (&*names[b], &*names[a])];
        let hold = !link.held.is_empty();
        if hold != link.is_held {
            // Either call clears the cuts of both directions.
            if hold {
                sim.hold(ends[0].0, ends[0].1)
            } else {
                sim.release(ends[0].0, ends[0].1)
            }
            link.is_held = hold;
            link.is_cut = [false; 2];
        }
        for (way, (from, to)) in ends.into_iter().enumerate() {
            let cut = !link.cut[way].is_empty();
            match (link.is_cut[way], cut) {
                (false, true) => sim.partition_oneway(from, to),
                (true, false) if !hold => sim.repair_oneway(from, to),
                // Turmoil cannot hold one direction only. The cut is mended when the hold ends.
                (true, false) | (false, false) | (true, true) => continue,
            }
            link.is_cut[way] = cut;
        }
    }
}
