//! What a rule has found.

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sure {
    /// It may be so, and may be meant.
    Possible,
    /// It is so, unless somebody means it.
    Likely,
    /// The records leave no other explanation.
    Proven,
}

impl Sure {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Sure::Possible => "possible",
            Sure::Likely => "likely",
            Sure::Proven => "proven",
        }
    }
}

/// One thing that is wrong, or may be.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Of which kind: the name of the rule that found it.
    pub kind: &'static str,
    /// How sure it is.
    pub sure: Sure,
    /// Who, what, since when.
    pub sentence: String,
    /// What shows it.
    pub evidence: Vec<String>,
    /// The commands that show the records behind it.
    pub proof: Vec<String>,
    /// What to do.
    pub advice: Vec<String>,
}

impl Finding {
    /// One with its sentence alone.
    pub fn new(kind: &'static str, sure: Sure, sentence: String) -> Finding {
        let (evidence, proof, advice) = Default::default();
        Finding { kind, sure, sentence, evidence, proof, advice }
    }

    /// With a line of evidence.
    pub fn shows(mut self, evidence: impl Into<String>) -> Finding {
        self.evidence.push(evidence.into());
        self
    }

    /// With a command; once, if it is given again.
    pub fn proof(mut self, command: impl Into<String>) -> Finding {
        let command = command.into();
        if !self.proof.contains(&command) {
            self.proof.push(command);
        }
        self
    }

    /// With a piece of advice.
    pub fn advice(mut self, advice: impl Into<String>) -> Finding {
        self.advice.push(advice.into());
        self
    }
}
