//! A client sends all its questions before it takes an answer, to a server that answers each before it takes the next.
//! Both channels have room for one. So each waits for the other, for ever, on smol.

use smol::channel::{bounded, Receiver, Sender};

const QUESTIONS: u32 = 10;

async fn serve(questions: Receiver<u32>, answers: Sender<u32>) {
    while let Ok(question) = questions.recv().await {
        if answers.send(question + 1).await.is_err() {
            return;
        }
    }
}

async fn ask(questions: Sender<u32>, answers: Receiver<u32>) -> Option<u32> {
    for question in 0..QUESTIONS {
        questions.send(question).await.ok()?;
    }
    let mut sum = 0;
    for _ in 0..QUESTIONS {
        sum += answers.recv().await.ok()?;
    }
    Some(sum)
}

fn main() {
    let (questions, asked) = bounded(1);
    let (answers, answered) = bounded(1);
    smol::spawn(serve(asked, answers)).detach();
    println!("the sum is {:?}", smol::block_on(ask(questions, answered)));
}
