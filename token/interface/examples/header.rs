//! Prints the C header: `cargo run -p token-interface --example header > token/interface/include/healthcard_token.h`.

fn main() {
    print!("{}", healthcard_token::header());
}
