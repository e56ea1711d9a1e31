//! The search over alternative spellings of the numbers in a document.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::Rewriter;
use super::numbers::Forms;
use super::template::Template;
use crate::explain::change::Change;
use crate::explain::search::Search;

/// The maximum number of combinations of number spellings that are tried at each cost, starting with cost 1.
const MOST: [u64; super::MAX_NUMBERS] = [16, 1 << 8, 1 << 12, 1 << 16, 1 << 20];

/// The signed text that was found, and the changes to its numbers.
type Filled = (Vec<u8>, Vec<Change>);

/// The number spellings to combine.
#[derive(Clone, Copy)]
enum Kind {
    /// All common spellings of every number, without exponents.
    Plain,
    /// Different values for the numbers that may have been rounded; the other numbers are unchanged.
    Rounded,
    /// Different values for the numbers that may have been rounded, and all common spellings of every number.
    RoundedAndPlain,
    /// An exponent or a different value for exactly this many numbers, and all common spellings of the other numbers.
    Unusual(usize),
}

/// A walk through all combinations of number spellings. If several combinations begin with the same text, this text is
/// hashed only once.
struct Walk<'a> {
    rewriter: &'a Rewriter,
    template: &'a Template,
    after: &'a [u8],
    /// The spellings chosen so far.
    chosen: Vec<usize>,
}

impl Rewriter {
    /// Tries the combinations of number spellings with this cost. At cost 0, only the received spellings are tried. The
    /// number of combinations grows with the cost.
    pub(super) fn numbers(
        &self,
        template: &Template,
        start: Sha256,
        after: &[u8],
        cost: usize,
        search: &mut Search,
    ) -> Option<Filled> {
        let slots = template.slots.len();
        let mut walk = Walk { rewriter: self, template, after, chosen: Vec::new() };
        if cost == 0 {
            return walk.try_forms(&start, &vec![0; slots], search);
        }
        if slots == 0 {
            return None;
        }
        let fits = |count: u64| {
            let lowest = if cost == 1 { 0 } else { MOST[cost - 2] };
            count > lowest && count <= MOST[cost - 1]
        };
        // At cost 1, try the rules without exponents, unless all combinations without exponents are tried below. At
        // cost 2, try the rules with exponents.
        let all_tried = self.count(template, Kind::Plain) <= MOST[0];
        for rule in self.rules.iter().skip(1).filter(|_| cost <= 2) {
            let forms: Vec<usize> =
                template.slots.iter().map(|(_, number)| rule.get(*number).copied().unwrap_or_default()).collect();
            let is_plain = |(slot, form): (&(usize, usize), &usize)| *form < self.forms[slot.1].plain;
            let plain = template.slots.iter().zip(&forms).all(is_plain);
            if (plain && (cost == 2 || all_tried)) || (!plain && cost == 1) {
                continue;
            }
            if let Some(filled) = walk.try_forms(&start, &forms, search) {
                return Some(filled);
            }
        }
        for kind in [Kind::Plain, Kind::Rounded, Kind::RoundedAndPlain, Kind::Unusual(1), Kind::Unusual(2)] {
            let count = self.count(template, kind);
            let tried = match kind {
                Kind::Plain => fits(count),
                Kind::Rounded => cost == 1 && count > 1 && count <= MOST[2],
                Kind::RoundedAndPlain => {
                    (cost == 2 && count > 0 && count <= 4 * MOST[1]) || (count > 4 * MOST[1] && fits(count))
                }
                Kind::Unusual(_) => (cost == 2 && count > 0 && count <= MOST[0]) || (cost > 1 && fits(count)),
            };
            if tried {
                if let Some(filled) = walk.walk(start.clone(), 0, kind, search) {
                    return Some(filled);
                }
                walk.chosen.clear();
            }
        }
        let too_many = self.count(template, Kind::Plain) > MOST[3];
        match cost {
            2 if too_many => walk.by_name(&start, search).or_else(|| walk.deviations(&start, 1, search)),
            3 if too_many => walk.deviations(&start, 2, search),
            3 => walk.deviations(&start, 1, search),
            _ => None,
        }
    }

    /// Returns the number of combinations of this kind.
    fn count(&self, template: &Template, kind: Kind) -> u64 {
        let forms = template.slots.iter().map(|(_, number)| &self.forms[*number]);
        let length = |forms: &Forms| forms.texts.len() as u64;
        let rounded = |forms: &Forms| (forms.texts.len() - forms.rounded) as u64;
        let unusual = match kind {
            Kind::Plain => return forms.fold(1, |all, forms| all.saturating_mul(forms.plain as u64)),
            Kind::Rounded => return forms.fold(1, |all, forms| all.saturating_mul(1 + rounded(forms))),
            Kind::RoundedAndPlain => {
                let any = forms.clone().any(|forms| rounded(forms) > 0);
                let all = forms.fold(1_u64, |all, forms| all.saturating_mul(forms.plain as u64 + rounded(forms)));
                return if any { all } else { 0 };
            }
            Kind::Unusual(unusual) => unusual,
        };
        let mut counts = [1_u64, 0, 0];
        for forms in forms {
            let (plain, other) = (forms.plain as u64, length(forms) - forms.plain as u64);
            for at in (0..=2).rev() {
                let with = if at > 0 { counts[at - 1].saturating_mul(other) } else { 0 };
                counts[at] = counts[at].saturating_mul(plain).saturating_add(with);
            }
        }
        counts[unusual]
    }
}

impl Walk<'_> {
    fn form(&self, slot: usize, form: usize) -> &str {
        let number = self.template.slots.get(slot).map_or(0, |(_, number)| *number);
        let forms = &self.rewriter.forms[number].texts;
        forms.get(form).or(forms.first()).map_or("", String::as_str)
    }

    /// Tries a combination of number spellings.
    fn try_forms(&mut self, start: &Sha256, forms: &[usize], search: &mut Search) -> Option<Filled> {
        let filled = self.template.filled(|slot, _| self.form(slot, forms[slot]));
        search.charge(filled.len() + self.after.len());
        let mut hash = start.clone();
        hash.update(&filled);
        hash.update(self.after);
        search.finish(hash).then(|| (filled, self.changes(forms)))
    }

    /// Tries all combinations of spellings for the slots from `slot` to the last. `hash` already contains the text up
    /// to and including the previous slot.
    fn walk(&mut self, mut hash: Sha256, slot: usize, kind: Kind, search: &mut Search) -> Option<Filled> {
        let from = slot.checked_sub(1).map_or(0, |last| self.template.slots[last].0);
        let Some((at, number)) = self.template.slots.get(slot).copied() else {
            let rest = &self.template.bytes[from..];
            search.charge(rest.len() + self.after.len());
            hash.update(rest);
            hash.update(self.after);
            if matches!(kind, Kind::Unusual(1..)) || !search.finish(hash) {
                return None;
            }
            let filled = self.template.filled(|slot, _| self.form(slot, self.chosen[slot]));
            return Some((filled, self.changes(&self.chosen)));
        };
        hash.update(&self.template.bytes[from..at]);
        let slots_left = self.template.slots.len() - slot;
        let forms = &self.rewriter.forms[number];
        let (plain, all) = (forms.plain, forms.texts.len());
        let choices = match kind {
            Kind::Plain | Kind::Unusual(0) => (0..plain).chain(0..0),
            Kind::Rounded => (0..1).chain(forms.rounded..all),
            Kind::RoundedAndPlain => (0..plain).chain(forms.rounded..all),
            Kind::Unusual(unusual) if unusual >= slots_left => (plain..all).chain(0..0),
            Kind::Unusual(_) => (0..all).chain(0..0),
        };
        for form in choices {
            if search.is_spent() {
                return None;
            }
            let text = &self.rewriter.forms[number].texts[form];
            let mut hash = hash.clone();
            hash.update(text);
            search.charge(text.len() + at - from);
            self.chosen.push(form);
            let kind = match kind {
                Kind::Unusual(unusual) => Kind::Unusual(unusual - usize::from(form >= plain)),
                other => other,
            };
            if let Some(filled) = self.walk(hash, slot + 1, kind, search) {
                return Some(filled);
            }
            self.chosen.pop();
        }
        None
    }

    /// Tries the same number of decimals for all numbers with the same member name.
    fn by_name(&mut self, start: &Sha256, search: &mut Search) -> Option<Filled> {
        let mut groups: BTreeMap<Option<&[u16]>, usize> = BTreeMap::new();
        let texts = &self.rewriter.document.texts;
        let group = |number: usize| {
            self.rewriter.document.numbers[number].name.and_then(|name| texts.get(name)).map(|name| &name.units[..])
        };
        let mut slot_groups = Vec::new();
        for (_, number) in &self.template.slots {
            let next = groups.len();
            slot_groups.push(*groups.entry(group(*number)).or_insert(next));
        }
        // Read `choice` as a number in base `kinds`. Each digit selects the number of decimals for one group; 0 keeps
        // the received spellings.
        let kinds = 5_usize;
        let all = kinds.checked_pow(u32::try_from(groups.len()).ok()?).filter(|all| *all <= 1 << 12)?;
        for choice in 1..all {
            let kind = |slot: usize| choice / kinds.pow(u32::try_from(slot_groups[slot]).unwrap_or_default()) % kinds;
            let forms: Vec<usize> = (0..slot_groups.len())
                .map(|slot| {
                    let number = self.template.slots[slot].1;
                    let value = self.rewriter.document.numbers[number].value.as_ref();
                    let text = value.filter(|_| kind(slot) > 0).map(|value| value.plain(kind(slot) - 1));
                    let texts = &self.rewriter.forms[number].texts;
                    text.and_then(|text| texts.iter().position(|known| *known == text)).unwrap_or_default()
                })
                .collect();
            if search.is_spent() {
                return None;
            }
            if let Some(filled) = self.try_forms(start, &forms, search) {
                return Some(filled);
            }
        }
        None
    }

    /// Tries other spellings for up to `count` numbers at a time, with the other numbers unchanged.
    fn deviations(&mut self, start: &Sha256, count: usize, search: &mut Search) -> Option<Filled> {
        let slots = self.template.slots.len();
        if slots > 256 / count {
            return None;
        }
        let mut pending = vec![(vec![0; slots], 0, count)];
        while let Some((forms, from, left)) = pending.pop() {
            for slot in from..slots {
                let all = &self.rewriter.forms[self.template.slots[slot].1];
                let most = if left == count && count == 1 { all.texts.len() } else { all.plain };
                for form in 1..most {
                    if search.is_spent() {
                        return None;
                    }
                    let mut forms = forms.clone();
                    forms[slot] = form;
                    if let Some(filled) = self.try_forms(start, &forms, search) {
                        return Some(filled);
                    }
                    if left > 1 {
                        pending.push((forms, slot + 1, left - 1));
                    }
                }
            }
        }
        None
    }

    fn changes(&self, forms: &[usize]) -> Vec<Change> {
        let change = |(slot, form): (usize, &usize)| {
            let forms = &self.rewriter.forms[self.template.slots[slot].1];
            match *form {
                0 => None,
                form if form >= forms.rounded => Some(Change::Rounded),
                _ => Some(Change::Numbers),
            }
        };
        let mut changes: Vec<Change> = forms.iter().enumerate().filter_map(change).collect();
        changes.sort_unstable();
        changes.dedup();
        changes
    }
}
