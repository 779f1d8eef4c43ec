//! Prints the C header: `cargo run -p softsdf --example header > hsm/softsdf/include/softsdf.h`.

fn main() {
    print!("{}", softsdf::header());
}
