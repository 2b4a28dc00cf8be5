//! Hostile layers, changed at random for as long as FUZZ_SECONDS says (`npm run bench -- fuzz`): nothing outside is ever touched,
//! by `unpack` or by `cp`, and `check` comes to an end.

use super::super::check;
use super::archive::{sign, Member};
use super::{folder, layer, Tree};
use crate::layers::unpack::{put, unpack, Options, Owner, Policy};
use rustix::process::{getegid, geteuid};
use std::time::{Duration, Instant};

fn corpus(outside: &str) -> Vec<Vec<u8>> {
    let climb = format!("{}{outside}", "../".repeat(30));
    vec![
        layer().symlink("a", outside).file("a/secret", b"x").folder("a").file("a/evil", b"x").end(),
        layer().folder("d").symlink("d/up", &climb).file("d/up/evil", b"x").hardlink("h", "d/up/secret").end(),
        layer().folder("f").file("f/x", b"1").symlink("f", outside).file("f/y", b"2").hardlink("g", "f/secret").end(),
        layer().file("../../evil", b"x").file("/evil", b"y").file(".wh..wh..opq", b"").file("d/.wh.x", b"").end(),
        layer().pax(b'x', &[("path", b"p/../../q"), ("linkpath", b"/../x")]).symlink("l", "t").file("l/z", b"3").end(),
        layer()
            .add(Member { path: b"dev", flag: b'3', device: (1, 3), ..Member::default() })
            .hardlink("n", "dev")
            .end(),
    ]
}

#[test]
fn no_mutation_of_a_hostile_layer_reaches_anything_outside() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut state = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    let mut next = |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    };
    let mut rounds = 0u64;
    while Instant::now() < end {
        let tree = Tree::new();
        let outside = tree.0.join("outside").display().to_string();
        let corpus = corpus(&outside);
        let mut bytes = corpus[next(corpus.len())].clone();
        // Headers of one archive among those of another.
        let other = &corpus[next(corpus.len())];
        let (from, to) = (next(other.len() / 512) * 512, next(bytes.len() / 512) * 512);
        bytes.splice(to..to, other[from..(from + 512 * (1 + next(2))).min(other.len())].iter().copied());
        for _ in 0..next(4) {
            let at = next(bytes.len());
            bytes[at] = b"/.0125a\0~"[next(9)];
            if let Some(block) = bytes.get_mut(at / 512 * 512..at / 512 * 512 + 512) {
                sign(block.try_into().unwrap());
            }
        }
        let _ = check::check(bytes.as_slice(), &mut |_| Ok(()));
        let _ = unpack(std::io::Cursor::new(bytes.clone()), folder(&tree.root()), &Options::default());
        tree.assert_untouched();
        let owner = Owner::One(geteuid().as_raw(), getegid().as_raw());
        let _ = put(bytes.as_slice(), folder(&tree.root()), Policy { copy: true, owner, ..Policy::default() });
        tree.assert_untouched();
        rounds += 1;
    }
    println!("layers: {rounds} rounds");
    assert!(rounds > 0);
}
