//! Faults that can be built in (feature `mutants`), one at a time: the crash test has to fail with
//! each of them, and to pass without. Otherwise it would prove nothing.
//!
//! Without the feature [`Mutant::lives`] is a constant false, and the faults are not in the binary.

/// A fault, by the word that `SENDTALLY_MUTANT` names it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Recovery goes on from Kafka's offsets, which are written before the manifest.
    KafkaOffsets,
    /// A manifest overwrites one that is there.
    Overwrite,
    /// Inserts carry a token that no repetition has.
    NoToken,
    /// The manifest is created before its segments are written.
    ManifestFirst,
    /// A state slice is taken for the newest, whatever epoch it is of.
    SliceWithoutOffsets,
    /// A partition without records for two seconds does not hold the watermark back.
    IdleByClock,
    /// The watermark is the maximum over the partitions.
    MaxWatermark,
    /// Partitions are assigned before their queues stand.
    AssignFirst,
}

impl Mutant {
    /// Every mutant with its word.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::KafkaOffsets, "kafka-offsets"),
        (Self::Overwrite, "overwrite"),
        (Self::NoToken, "no-token"),
        (Self::ManifestFirst, "manifest-first"),
        (Self::SliceWithoutOffsets, "slice-without-offsets"),
        (Self::IdleByClock, "idle-by-clock"),
        (Self::MaxWatermark, "max-watermark"),
        (Self::AssignFirst, "assign-first"),
    ];

    /// Whether this process has the fault.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn lives(self) -> bool {
        use std::sync::OnceLock;
        static CHOSEN: OnceLock<Option<Mutant>> = OnceLock::new();
        let chosen = CHOSEN.get_or_init(|| {
            let word = std::env::var("SENDTALLY_MUTANT").ok()?;
            Self::ALL.iter().find(|(_, known)| *known == word).map(|(mutant, _)| *mutant)
        });
        *chosen == Some(self)
    }

    /// Whether this process has the fault: never, in this build.
    #[cfg(not(feature = "mutants"))]
    #[must_use]
    pub const fn lives(self) -> bool {
        false
    }
}
