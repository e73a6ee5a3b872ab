//! Compiles the schema with the program `capnp`.
fn main() {
    capnpc::CompilerCommand::new().file("echo.capnp").run().expect("the program `capnp` (of Cap'n Proto) compiles echo.capnp");
}
