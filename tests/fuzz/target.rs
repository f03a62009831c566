//! The targets, by name: a source's word, or what else reads foreign bytes.

use model::vocabulary::Source;

/// Who reads the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One source's adapter. A text that begins with `?` is the query of a GET callback.
    Source(Source),
    /// Lines of whole Kafka records (`--records`), of whatever source they name.
    Records,
    /// Such lines with keys for every source that signs: the readers of signatures.
    Signatures,
    /// An objective: OpenSLO YAML and its predicates.
    Objective,
    /// A manifest of a chain.
    Manifest,
    /// A scenario of the simulator.
    Scenario,
}

impl Target {
    /// All of them: the 25 sources first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let others =
            [Self::Records, Self::Signatures, Self::Objective, Self::Manifest, Self::Scenario];
        Source::ALL.iter().map(|source| Self::Source(*source)).chain(others).collect()
    }

    /// Its name: that of its corpus, too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source(source) => source.as_str(),
            Self::Records => "records",
            Self::Signatures => "signatures",
            Self::Objective => "objective",
            Self::Manifest => "manifest",
            Self::Scenario => "scenario",
        }
    }

    /// The target with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|target| target.name() == name)
    }

    /// Vendors' payloads come from outside, as many as they like: time and memory are bounded.
    /// The others are files of the operator, which only must not crash the process.
    #[must_use]
    pub const fn is_payload(self) -> bool {
        matches!(self, Self::Source(_) | Self::Records | Self::Signatures)
    }
}
