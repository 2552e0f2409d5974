//! The client: asks for greetings and hears of each by signal.

use futures::StreamExt;
use zbus::{connection, proxy};

#[proxy(
    interface = "org.example.Greeter1",
    default_service = "org.example.Greeter",
    default_path = "/org/example/Greeter"
)]
trait Greeter {
    fn greet(&self, name: &str) -> zbus::Result<String>;

    #[zbus(signal)]
    fn was_greeted(&self, name: &str, number: u64) -> zbus::Result<()>;
}

/// What came back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Greetings {
    /// The last reply.
    pub last: String,
    /// How many signals named our name.
    pub signals: u64,
}

/// Calls `count` times, one after the other, and waits for the signal of each call.
///
/// # Errors
///
/// If the bus or the service cannot be reached, or the bus goes away.
pub async fn greet(address: &str, name: &str, count: u64) -> zbus::Result<Greetings> {
    let connection = connection::Builder::address(address)?.build().await?;
    let greeter = GreeterProxy::new(&connection).await?;
    let mut signals = greeter.receive_was_greeted().await?;

    let mut found = Greetings::default();
    for _ in 0..count {
        found.last = greeter.greet(name).await?;
        found.signals += heard_of(name, &mut signals).await?;
    }
    Ok(found)
}

/// Waits for the next signal about `name`; others' are passed over.
async fn heard_of(name: &str, signals: &mut WasGreetedStream) -> zbus::Result<u64> {
    while let Some(signal) = signals.next().await {
        if *signal.args()?.name() == name {
            return Ok(1);
        }
    }
    Err(zbus::Error::Failure("the bus closed the connection".into()))
}
