//! Who is to blame for an error, which decides the exit code and whether a retry makes sense.

/// Domain of an error; each stage's error enum tells its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Wrong usage or configuration, authentication and missing topics included: exit 2.
    Usage,
    /// A dependency could not be reached: exit 3 at start; a running process retries.
    Dependency,
    /// Going on could lose or double data: exit 4.
    Protect,
}

impl Domain {
    /// Exit code of a process that ends for it (DESIGN.md, "Commands").
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Dependency => 3,
            Self::Protect => 4,
        }
    }
}
