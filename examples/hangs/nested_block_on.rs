//! A trait's method is not async, so it calls `block_on` for a price that another task looks up. Both run on the one
//! thread of the executor, which is inside `block_on` and polls nobody else.

use std::io;
use std::time::Duration;

use async_channel::{bounded, Receiver, Sender};
use async_io::{block_on, Timer};

use crate::story::{executor, hangs_now};

trait Prices {
    fn price(&self, article: u32) -> u32;
}

struct Remote {
    questions: Sender<u32>,
    answers: Receiver<u32>,
}

impl Prices for Remote {
    fn price(&self, article: u32) -> u32 {
        hangs_now();
        block_on(async {
            self.questions.send(article).await.expect("somebody asks");
            self.answers.recv().await.expect("somebody answers") // hangs here
        })
    }
}

async fn look_up(questions: Receiver<u32>, answers: Sender<u32>) {
    while let Ok(article) = questions.recv().await {
        let sent = answers.send(article * 3).await;
        sent.expect("somebody waits");
    }
}

async fn bill(prices: Remote) {
    Timer::after(Duration::from_millis(100)).await;
    let sum: u32 = (1..4).map(|article| prices.price(article)).sum();
    println!("that makes {sum}");
}

pub fn run() -> io::Result<()> {
    let (questions, asked) = bounded(1);
    let (answer, answers) = bounded(1);
    let executor = executor();
    executor.spawn(look_up(asked, answer)).detach();
    block_on(executor.run(executor.spawn(bill(Remote { questions, answers }))));
    Ok(())
}
