//! x
/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Aligned columns for people.
    Table,
    /// With a header line.
    Csv,
    /// One object a line.
    Json,
    /// IPC stream.
    Arrow,
}
