//! What was found, for programs.

use serde_json::{json, Value as Json};

use super::Answer;

/// One object.
pub fn of(answer: &Answer) -> Json {
    let findings = answer.findings.iter().map(|finding| {
        json!({
            "kind": finding.kind,
            "sure": finding.sure.name(),
            "sentence": finding.sentence,
            "evidence": finding.evidence,
            "proof": finding.proof,
            "advice": finding.advice,
        })
    });
    let unclear = answer.unclear.iter();
    json!({
        "wrong": answer.is_wrong(),
        "findings": findings.collect::<Json>(),
        "looked_for": answer.looked_for,
        "cannot_tell": unclear
            .map(|unclear| json!({ "looks_for": unclear.looks_for, "why": unclear.why }))
            .collect::<Json>(),
        "not_looked_at": answer.not_given,
    })
}
