//! The aggregate in all its modes: grouped, alone, filtered, merged from partitions, sliding.

use arrow_array::cast::AsArray;
use datafusion::prelude::SessionConfig;

use super::*;
use crate::executor::Executor;

/// Runs SQL over `t(g, ms)`: latencies 1..=600 in three groups, on some partitions.
fn column(sql: &str, partitions: usize) -> Vec<Option<i64>> {
    let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(64);
    let context = SessionContext::new_with_config(config);
    register(&context);
    let executor = Executor::inline().unwrap();
    let batches = executor.block_on(async {
        let table = "CREATE TABLE t AS SELECT value % 3 AS g, value AS ms
                     FROM generate_series(1, 600)";
        context.sql(table).await.unwrap().collect().await.unwrap();
        context.sql(sql).await.unwrap().collect().await.unwrap()
    });
    let values = batches.iter().flat_map(|batch| {
        let cast = arrow_cast::cast(batch.column(0), &DataType::Int64).unwrap();
        cast.as_primitive::<Int64Type>().iter().collect::<Vec<_>>()
    });
    values.collect()
}

#[test]
fn groups_alone_and_partitions_agree() {
    for partitions in [1, 4] {
        let grouped = "SELECT sketch_count(s) FROM
            (SELECT g, sketch_of(ms) AS s FROM t GROUP BY g) ORDER BY g";
        assert_eq!(column(grouped, partitions), vec![Some(200); 3]);
        let merged = "SELECT sketch_count(sketch_merge(s)) FROM
            (SELECT g, sketch_of(ms) AS s FROM t GROUP BY g)";
        assert_eq!(column(merged, partitions), vec![Some(600)]);
        let same = "SELECT sketch_merge(s) = (SELECT sketch_of(ms) FROM t) FROM
            (SELECT g, sketch_of(ms) AS s FROM t GROUP BY g)";
        assert_eq!(column(same, partitions), vec![Some(1)]);
    }
}

#[test]
fn filters_nulls_and_nothing_at_all() {
    let filtered = "SELECT sketch_count(sketch_of(ms) FILTER (WHERE ms > 500)) FROM t";
    assert_eq!(column(filtered, 1), vec![Some(100)]);
    let by_group = "SELECT sketch_count(s) FROM (SELECT g, sketch_of(ms) FILTER (WHERE g = 1)
        AS s FROM t GROUP BY g) ORDER BY g";
    assert_eq!(column(by_group, 2), vec![Some(0), Some(200), Some(0)]);
    let nulls = "SELECT sketch_count(sketch_of(NULLIF(ms, 5))) FROM t";
    assert_eq!(column(nulls, 1), vec![Some(599)]);
    let nothing = "SELECT sketch_quantile_ms(sketch_of(ms), 0.5) FROM t WHERE ms < 0";
    assert_eq!(column(nothing, 1), vec![None]);
}

#[test]
fn quantile_is_the_value_at_the_rank() {
    // Exact up to 200 ms, where a bucket is one millisecond wide.
    let median = "SELECT sketch_quantile_ms(sketch_of(ms), 0.5) FROM t WHERE ms <= 100";
    assert_eq!(column(median, 1), vec![Some(50)]);
    let last = "SELECT sketch_quantile_ms(sketch_of(ms), 1.0) FROM t WHERE ms <= 100";
    assert_eq!(column(last, 1), vec![Some(100)]);
}

#[test]
fn a_sliding_frame_takes_away_exactly() {
    let sliding = "SELECT sketch_count(sketch_of(ms) OVER (ORDER BY ms ROWS 9 PRECEDING))
        FROM t WHERE ms <= 30 ORDER BY ms";
    let expected: Vec<_> = (1..=30).map(|row: i64| Some(row.min(10))).collect();
    assert_eq!(column(sliding, 1), expected);
}
