//! Prints the C header: `cargo run -p card-interface --example header > card/interface/include/healthcard.h`.

fn main() {
    print!("{}", healthcard::header());
}
