//! Many hosts in one world.
use sim::network::{Mesh, Settings};

#[test]
fn a_few_hosts() {
    let mesh = Mesh::new(Settings::new(4, 12)).unwrap_or_else(|e| panic!("{e}"));
    for seed in 0..8 {
        let done = mesh.run(seed).unwrap_or_else(|f| panic!("seed {seed}: {}\n{}", f.what, f.trace.join("\n")));
        println!("{seed}: {done:?}");
    }
}
