//! Lets queries pass and nothing else.
//!
//! Judged twice: by the text, so that the error can name what was found, and by the plan, so that
//! nothing hides inside a query.

use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::Statement as Sql;

use crate::WindowError;

/// Checks the text: one statement, a query.
pub(crate) fn check_text(sql: &str) -> Result<(), WindowError> {
    let statements =
        DFParser::parse_sql(sql).map_err(|error| WindowError::UserQuery(Box::new(error)))?;
    match statements.len() {
        0 => refuse("an empty statement"),
        1 => statements.iter().try_for_each(check_statement),
        more => refuse(&format!("a list of {more} statements")),
    }
}

/// Checks the plan: no node of it changes anything.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<(), WindowError> {
    let options =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    match options.verify_plan(plan) {
        Ok(()) => Ok(()),
        Err(_) => refuse("a statement that changes something"),
    }
}

fn check_statement(statement: &Statement) -> Result<(), WindowError> {
    match statement {
        Statement::Explain(explain) => check_statement(&explain.statement),
        Statement::Statement(sql) => match sql.as_ref() {
            Sql::Query(_)
            | Sql::ExplainTable { .. }
            | Sql::ShowTables { .. }
            | Sql::ShowColumns { .. }
            | Sql::ShowFunctions { .. }
            | Sql::ShowVariable { .. } => Ok(()),
            Sql::Explain { statement, .. } => {
                check_statement(&Statement::Statement(statement.clone()))
            }
            other => refuse(&first_word(&other.to_string())),
        },
        other => refuse(&first_word(&other.to_string())),
    }
}

/// `INSERT INTO t …` → `INSERT`.
fn first_word(statement: &str) -> String {
    statement.split_whitespace().next().unwrap_or("this").to_uppercase()
}

fn refuse(found: &str) -> Result<(), WindowError> {
    Err(WindowError::NotAQuery { found: found.to_owned() })
}
