//! The files in `queries/` are what this module generates, and they do what they say.

use std::path::PathBuf;

use super::*;

fn path(dialect: Dialect) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../queries").join(dialect.file_name())
}

#[test]
fn files_in_queries_are_up_to_date() {
    for dialect in Dialect::ALL {
        let wanted = page(dialect);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path(dialect), &wanted).unwrap();
        }
        let found = std::fs::read_to_string(path(dialect)).unwrap_or_default();
        assert!(found == wanted, "{}: BLESS=1 cargo test -p window", dialect.file_name());
    }
}

#[test]
fn every_revised_table_has_a_view_and_carried_columns_are_carried() {
    let page = page(Dialect::DataFusion);
    for name in ["messages", "slo_windows", "charges", "cost_windows"] {
        assert!(page.contains(&format!("VIEW {name} AS")), "{name}");
    }
    assert_eq!(page.matches("CREATE").count(), 5, "append-only tables need none");
    assert!(page.contains("VIEW spend AS"));
    for table in schema::tables().into_iter().filter(|table| is_revised(table)) {
        for column in table.columns.iter().filter(|column| column.carried) {
            let carried = format!("last_value(\"{}\")", column.name);
            assert!(newest(table, Dialect::DataFusion).contains(&carried), "{carried}");
        }
    }
}

/// Rows of formats 2 and 3: a price of the message and one of its segments.
#[tokio::test]
async fn of_two_prices_that_are_alike_spend_has_the_same_whatever_the_order_of_rows() {
    use datafusion::prelude::SessionContext;
    let row = |kind: &str| {
        let column = |name: &str| match name {
            "kind" => format!("'{kind}' AS kind"),
            "basis" => "'vendor' AS basis".to_owned(),
            "message_key" => "'m' AS message_key".to_owned(),
            "grain" => "'message' AS grain".to_owned(),
            "quantity" | "revision" => format!("1 AS {name}"),
            _ => format!("CAST(NULL AS VARCHAR) AS {}", quoted(name)),
        };
        let columns = schema::CHARGES.columns.iter().map(|table| column(&table.name));
        format!("SELECT {}", columns.collect::<Vec<_>>().join(", "))
    };
    for [first, second] in [["message", "segment"], ["segment", "message"]] {
        let context = SessionContext::new();
        let rows = format!("CREATE TABLE charges AS {} UNION ALL {}", row(first), row(second));
        context.sql(&rows).await.unwrap().collect().await.unwrap();
        let kinds = format!("SELECT kind FROM ({})", spend(Dialect::DataFusion));
        let found = context.sql(&kinds).await.unwrap().to_string().await.unwrap();
        assert!(found.contains("| message |") && !found.contains("segment"), "{first}: {found}");
    }
}
