//! Random damage, the same for the same seed.

use super::damage::Damage;
use super::victim::Victim;
use pydbg::target::synth_random::Random;

/// Random bytes.
pub(super) fn random(seed: u64) -> impl Iterator<Item = u8> {
    words(seed).map(|word| (word >> 32) as u8)
}

fn words(seed: u64) -> impl Iterator<Item = u64> {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    std::iter::repeat_with(move || random.number())
}

/// Random bytes and lost pages at random places of the dumped memory; PYDBG_SEEDS asks for more.
pub(super) fn all(victim: &Victim) -> Vec<Damage> {
    let mut list = Vec::new();
    let more = std::env::var("PYDBG_SEEDS").ok();
    let more = more.and_then(|count| count.parse().ok()).unwrap_or(0);
    let more = 8..8 + more;
    for seed in (1..=4).chain(more.clone()) {
        list.push(scattered(victim, seed, 2000, 1, false));
        list.push(scattered(victim, seed, 100, 4096, true));
    }
    for seed in (5..=7).chain(more) {
        list.push(scattered(victim, seed, 200_000, 1, false));
        list.push(scattered(victim, seed, 20_000, 8, false));
    }
    list
}

/// `count` pieces of `size` bytes, zero or random.
fn scattered(victim: &Victim, seed: u64, count: usize, size: usize, zero: bool) -> Damage {
    let kind = if zero { "zero" } else { "random" };
    let mut damage = Damage::new(format!("{count} times {size} {kind} bytes (seed {seed})"));
    damage.flood = count * size >= 100_000;
    let loads: Vec<_> = victim.core.loads().collect();
    let total: usize = loads.iter().map(|load| load.size).sum();
    let mut words = words(seed);
    for _ in 0..count {
        let mut at = words.next().unwrap() as usize % total / size * size;
        let bytes: Vec<u8> = match zero {
            true => vec![0; size],
            false => words.next().unwrap().to_le_bytes()[..size].to_vec(),
        };
        for load in &loads {
            if at + size <= load.size {
                damage = damage.write(load.offset + at, &bytes);
                break;
            }
            at = at.saturating_sub(load.size);
        }
    }
    damage
}
