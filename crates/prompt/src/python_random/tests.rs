//! Numbers of CPython 3.11's `random.Random`, seed by seed.
use super::*;

/// Seed, two of `random()`, `getrandbits(7)`, `getrandbits(40)`, `randint(3, 12)`, an index of
/// `choices(range(4), [1, 2, 0.5, 3])`, and `shuffle(range(6))`, drawn in this order.
type Row = (u64, f64, f64, u64, u64, i64, usize, [u8; 6]);

#[rustfmt::skip]
const ROWS: [Row; 7] = [
    (0, 0.8444218515250481, 0.7579544029403025, 53, 283641720628, 11, 2, [1, 0, 4, 5, 3, 2]),
    (1, 0.13436424411240122, 0.8474337369372327, 97, 279443915985, 4, 2, [1, 2, 0, 4, 5, 3]),
    (42, 0.6394267984578837, 0.025010755222666936, 35, 245864938384, 5, 3, [3, 1, 2, 0, 4, 5]),
    (123456789, 0.6414006161858726, 0.5421892680969495, 127, 927295422977, 12, 1, [0, 1, 5, 4, 3, 2]),
    (4294967295, 0.6353574441341173, 0.20319993954407756, 77, 320071261652, 12, 1, [0, 5, 1, 4, 2, 3]),
    (4294967296, 0.11299430095636409, 0.41782886486292836, 2, 670112917261, 8, 3, [2, 5, 4, 1, 0, 3]),
    (18446744073709551615, 0.021825695401270107, 0.3380953268613758, 27, 676268644946, 4, 3, [4, 3, 5, 1, 0, 2]),
];

#[test]
fn equals_cpython() {
    for (seed, a, b, bits, more, between, weighted, shuffled) in ROWS {
        let mut random = PythonRandom::new(seed);
        assert_eq!((random.random(), random.random()), (a, b), "seed {seed}");
        assert_eq!((random.bits(7), random.bits(40)), (bits, more), "seed {seed}");
        assert_eq!(random.between(3, 12), between, "seed {seed}");
        assert_eq!(random.weighted([1.0, 2.0, 0.5, 3.0]), Some(weighted), "seed {seed}");
        let mut list = [0, 1, 2, 3, 4, 5];
        random.shuffle(&mut list);
        assert_eq!(list, shuffled, "seed {seed}");
    }
}

#[test]
fn weights_that_add_up_to_nothing() {
    let mut random = PythonRandom::new(1);
    assert_eq!(random.weighted([0.0, 0.0]), None);
    assert_eq!(random.weighted([f64::INFINITY]), None);
    assert_eq!(random.weighted([]), None);
}
