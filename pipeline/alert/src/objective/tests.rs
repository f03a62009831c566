//! Reading, refusing and naming.

use super::*;
use crate::check::check;

const FILE: &str = include_str!("../../../../queries/objectives/delivery-rate.yaml");

pub(crate) const ARITHMETIC: Arithmetic = Arithmetic {
    burn_rate: score::burn::burn_rate,
    burn_floor: score::burn::burn_floor,
    max_burn: score::burn::max_burn,
    factor_of_share: score::burn::factor_of_share,
    detection_s: score::burn::detection_s,
};

fn refusal(from: &str, to: &str) -> String {
    assert!(FILE.contains(from), "{from}");
    let files = [("a.yaml".to_owned(), FILE.replace(from, to))];
    let report = check(&files, &ARITHMETIC);
    assert_eq!(report.errors, 1, "{}", report.text);
    report.text
}

#[test]
fn the_shipped_objective_is_read() {
    let objective = Objective::parse(FILE, &ARITHMETIC).expect("it is valid");
    assert_eq!(objective.window_lengths(), [60, 120, 300, 3_600]);
    assert_eq!(objective.period_s, 28 * 86_400);
    let counts = OutcomeCounts {
        delivered: 90,
        read: 30,
        failed: 5,
        expired: 2,
        canceled: 4,
        unknown: 1,
        pending: 7,
    };
    assert_eq!(objective.judge(&counts), Judged { good: 90, bad: 8, pending: 7 });
}

#[test]
fn the_report_tells_which_tiers_can_fire() {
    let report = check(&[("a.yaml".to_owned(), FILE.to_owned())], &ARITHMETIC);
    assert_eq!(report.errors, 0);
    assert!(report.text.contains("a total outage burns at 20.0"), "{}", report.text);
    assert!(report.text.contains("tier fast: can fire: burn 4.0 (20.0 % bad) over 1m and over 2m"));
    assert!(report.text.contains("fires after 34 s"), "{}", report.text);
}

#[test]
fn what_is_wrong_is_refused_where_it_stands() {
    let text = refusal("burn: 4\n", "burn: 20.5\n");
    assert!(text.contains("spec.sendtally.tiers[0].burn: asks for"), "{text}");
    assert!(text.contains("can never fire"), "{text}");
    let text = refusal("burn: 4\n", "budget_share: 0.5\n");
    assert!(text.contains("tiers[0].budget_share"), "{text}");
    assert!(refusal("short: 60s", "short: 65s").contains("multiple of 10s"));
    assert!(refusal("short: 60s", "short: 5m").contains("shorter than long"));
    assert!(refusal("short: 60s", "shorter: 60s").contains("line"));
    assert!(refusal("target: 0.95", "target: 1.0").contains("between 0 and 1"));
    assert!(refusal("'delivered', 'read'", "'sent'").contains("good.metricSource.spec.where: at"));
    assert!(refusal("'delivered', 'read'", "'canceled'").contains("messages of total"));
    assert!(refusal("[channel, carrier]", "[channel, colour]").contains("colour"));
    assert!(refusal("name: slow", "name: fast").contains("tiers[1].name"));
    assert!(refusal("kind: SLO", "kind: SLI").contains("kind: must be SLO"));
}

#[test]
fn a_name_is_taken_once() {
    let file = |name: &str| (name.to_owned(), FILE.to_owned());
    let report = check(&[file("a.yaml"), file("b.yaml")], &ARITHMETIC);
    assert_eq!(report.errors, 1);
    assert!(report.text.contains("already the name of a.yaml"), "{}", report.text);
}

#[test]
fn series_names_are_unambiguous_and_filters_hold() {
    let filtered = FILE.replace(
        "    group_by: [channel, carrier]\n",
        "    group_by: [channel, carrier]\n    where: {traffic_class: otp}\n",
    );
    let objective = Objective::parse(&filtered, &ARITHMETIC).expect("it is valid");
    let value = |dimension| match dimension {
        Dimension::Channel => Some("sms"),
        Dimension::Carrier => Some("T=Mobile, Inc\\"),
        Dimension::TrafficClass => Some("otp"),
        _ => None,
    };
    assert_eq!(objective.series(value), r"channel=sms,carrier=T\=Mobile\, Inc\\");
    assert!(objective.accepts(value));
    assert!(!objective.accepts(|_| None));
}
