//! The service: greets whoever calls, and tells everyone who listens.

use zbus::object_server::SignalEmitter;
use zbus::{connection, interface, Connection};

/// The name that the service takes on the bus.
pub const BUS_NAME: &str = "org.example.Greeter";
/// The path of its one object.
const PATH: &str = "/org/example/Greeter";

#[derive(Default)]
struct Greeter {
    greeted: u64,
}

#[interface(name = "org.example.Greeter1")]
impl Greeter {
    /// Answers with a greeting, once everyone who listens has been told.
    async fn greet(
        &mut self,
        name: &str,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<String> {
        self.greeted += 1;
        Greeter::was_greeted(&emitter, name, self.greeted).await?;
        Ok(format!("Hello {name}! You are number {}.", self.greeted))
    }

    /// Somebody was greeted.
    #[zbus(signal)]
    async fn was_greeted(emitter: &SignalEmitter<'_>, name: &str, number: u64) -> zbus::Result<()>;
}

/// Serves for as long as the connection lives.
///
/// # Errors
///
/// If the bus cannot be reached, or the name is taken.
pub async fn serve(address: &str) -> zbus::Result<Connection> {
    connection::Builder::address(address)?
        .name(BUS_NAME)?
        .serve_at(PATH, Greeter::default())?
        .build()
        .await
}
