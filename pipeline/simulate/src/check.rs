//! Refusing scenarios that read well and mean nothing: unknown names, shares outside 0..=1,
//! incidents without the parameters that their kind needs.

use crate::country;
use crate::scenario::{
    Carrier, Flow, Incident, IncidentKind, Scenario, ScenarioError, Source, parse_micros,
};

type Checked = Result<(), ScenarioError>;

fn refuse(place: impl Into<String>, problem: impl Into<String>) -> Checked {
    Err(ScenarioError::Value { place: place.into(), problem: problem.into() })
}

pub(crate) fn scenario(scenario: &Scenario) -> Checked {
    if scenario.start_us().is_none() {
        return refuse("start", format!("{:?} is not an RFC 3339 time", scenario.start));
    }
    let body = &scenario.planted_body;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -_.,!".contains(&byte);
    if body.is_empty() || !body.bytes().all(plain) {
        return refuse("planted_body", "use ASCII letters, digits, blanks and - _ . , ! only");
    }
    if !matches!(scenario.daily_shape.len(), 0 | 24) {
        return refuse("daily_shape", "give 24 values, one an hour, or leave it out");
    }
    if scenario.daily_shape.iter().any(|&weight| !(0.01..=1_000.0).contains(&weight)) {
        return refuse("daily_shape", "values are between 0.01 and 1000");
    }
    if !(1..=9).contains(&scenario.accounts) {
        return refuse("accounts", "between 1 and 9");
    }
    rates(scenario)?;
    for (n, carrier) in scenario.carriers.iter().enumerate() {
        one_carrier(&format!("carriers[{n}]"), carrier)?;
        if scenario.carrier_index(&carrier.id) != Some(n) {
            return refuse(format!("carriers[{n}].id"), format!("{} is there twice", carrier.id));
        }
    }
    if scenario.flows.is_empty() {
        return refuse("flows", "give at least one");
    }
    for (n, flow) in scenario.flows.iter().enumerate() {
        one_flow(&format!("flows[{n}]"), flow, scenario)?;
    }
    for (n, incident) in scenario.incidents.iter().enumerate() {
        one_incident(&format!("incidents[{n}]"), incident, scenario)?;
    }
    Ok(())
}

fn share(place: &str, value: f64) -> Checked {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    refuse(place, format!("{value} is not a share between 0 and 1"))
}

fn rates(scenario: &Scenario) -> Checked {
    share("duplicates.rate", scenario.duplicates.rate)?;
    share("reordered.rate", scenario.reordered.rate)?;
    share("late.rate", scenario.late.rate)?;
    share("malformed_rate", scenario.malformed_rate)?;
    share("missing_rate", scenario.missing_rate)?;
    share("future_clock_rate", scenario.future_clock_rate)?;
    share("ignored_rate", scenario.ignored_rate)?;
    let sum = scenario.duplicates.rate + scenario.malformed_rate + scenario.ignored_rate;
    if sum > 0.5 {
        return refuse("duplicates.rate", "with malformed_rate and ignored_rate at most 0.5");
    }
    for (place, [low, high]) in [
        ("duplicates.after_s", scenario.duplicates.after_s),
        ("late.after_s", scenario.late.after_s),
    ] {
        if !(0.0..=high).contains(&low) || high > 3.0e6 {
            return refuse(place, "give [shortest, longest], at most 3000000 s");
        }
    }
    if !(0.0..=3_600.0).contains(&scenario.reordered.within_s) {
        return refuse("reordered.within_s", "between 0 and 3600");
    }
    if scenario.usage_every_s.is_some_and(|every| !(1.0..=1.0e6).contains(&every)) {
        return refuse("usage_every_s", "between 1 and 1000000");
    }
    let batches = &scenario.batches;
    for (place, batch) in [
        ("batches.infobip", batches.infobip),
        ("batches.whatsapp", batches.whatsapp),
        ("batches.twilio", batches.twilio),
    ] {
        if !(1..=1_000).contains(&batch.mean) {
            return refuse(format!("{place}.mean"), "between 1 and 1000");
        }
    }
    Ok(())
}

fn one_carrier(place: &str, carrier: &Carrier) -> Checked {
    if let Some(iso) = &carrier.country
        && carrier.country_index().is_none()
    {
        let known: Vec<&str> = country::COUNTRIES.iter().map(|c| c.iso).collect();
        let problem = format!("{iso} is unknown; known are {}", known.join(", "));
        return refuse(format!("{place}.country"), problem);
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 3;
    if !digits(&carrier.mcc) || !digits(&carrier.mnc) {
        return refuse(format!("{place}.mcc"), "mcc and mnc are up to three digits, quoted");
    }
    if carrier.latency.median_s <= 0.0 || !(0.0..=4.0).contains(&carrier.latency.sigma) {
        return refuse(format!("{place}.latency"), "median_s above 0, sigma between 0 and 4");
    }
    let f = &carrier.failures;
    for value in [f.undelivered, f.failed, f.expired, f.rejected] {
        share(&format!("{place}.failures"), value)?;
    }
    share(&format!("{place}.failures"), f.undelivered + f.failed + f.expired + f.rejected)
}

fn one_flow(place: &str, flow: &Flow, scenario: &Scenario) -> Checked {
    if !flow.carries_its_channel() {
        let problem = format!("{} has no {}", flow.source.name(), flow.channel.name());
        return refuse(format!("{place}.channel"), problem);
    }
    if flow.weight <= 0.0 || flow.carriers.values().any(|&weight| weight <= 0.0) {
        return refuse(format!("{place}.weight"), "weights are above 0");
    }
    if flow.carriers.is_empty() {
        return refuse(format!("{place}.carriers"), "give at least one");
    }
    for id in flow.carriers.keys() {
        let place = format!("{place}.carriers.{id}");
        let Some(n) = scenario.carrier_index(id) else {
            return refuse(place, "no carrier has this id");
        };
        if flow.channel.has_numbers() && scenario.carriers[n].country.is_none() {
            return refuse(place, "this channel needs numbers, the carrier has no country");
        }
    }
    for (key, text) in [("price", &flow.price), ("fee", &flow.fee)] {
        if parse_micros(text).is_none() {
            return refuse(
                format!("{place}.{key}"),
                "decimal text with up to six decimals, quoted",
            );
        }
    }
    if flow.source != Source::Cloudevents && parse_micros(&flow.fee) != Some(0) {
        return refuse(format!("{place}.fee"), "only cloudevents bills a fee of its own");
    }
    if flow.currency.len() != 3 || !flow.currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return refuse(format!("{place}.currency"), "three capital letters");
    }
    if flow.segments.len() > 20 || flow.segments.iter().any(|&weight| weight < 0.0) {
        return refuse(format!("{place}.segments"), "up to 20 weights of 0 or more");
    }
    share(&format!("{place}.read_rate"), flow.read_rate)?;
    share(&format!("{place}.events_share"), flow.events_share)?;
    share(&format!("{place}.pending_share"), flow.pending_share)?;
    share(&format!("{place}.priced_share"), flow.priced_share)
}

fn one_incident(place: &str, incident: &Incident, scenario: &Scenario) -> Checked {
    if let Some(id) = &incident.carrier
        && scenario.carrier_index(id).is_none()
    {
        return refuse(format!("{place}.carrier"), format!("no carrier has the id {id}"));
    }
    if incident.start_s < 0.0 || incident.duration_s <= 0.0 {
        return refuse(format!("{place}.duration_s"), "start_s from 0, duration_s above 0");
    }
    if incident.repeat_s.is_some_and(|every| every < incident.duration_s) {
        return refuse(format!("{place}.repeat_s"), "at least duration_s");
    }
    if let Some(rate) = incident.failure_rate {
        share(&format!("{place}.failure_rate"), rate)?;
    }
    if incident.factor.is_some_and(|factor| !(0.0..=1_000.0).contains(&factor)) {
        return refuse(format!("{place}.factor"), "between 0 and 1000");
    }
    let carrier = incident.carrier.is_some();
    let complete = match incident.kind {
        IncidentKind::CarrierOutage => carrier && incident.failure_rate.is_some(),
        IncidentKind::SlowCarrier => carrier && incident.factor.is_some(),
        IncidentKind::PriceRise => {
            (carrier || incident.source.is_some()) && incident.factor.is_some()
        }
        IncidentKind::Flood => carrier && incident.factor.is_some() && incident.prefix.is_some(),
        IncidentKind::FakeReceipts => carrier && incident.latency_ms.is_some(),
    };
    if !complete {
        let problem = "a key of this kind is missing (see IncidentKind in scenario.rs)";
        return refuse(format!("{place}.kind"), problem);
    }
    flood(place, incident, scenario)
}

/// A flood needs numbers of its carrier's country and a flow that reaches that carrier.
fn flood(place: &str, incident: &Incident, scenario: &Scenario) -> Checked {
    let (IncidentKind::Flood, Some(prefix), Some(id)) =
        (incident.kind, &incident.prefix, &incident.carrier)
    else {
        return Ok(());
    };
    let reached = |flow: &&Flow| flow.channel.has_numbers() && flow.carriers.contains_key(id);
    if !scenario.flows.iter().any(|flow| reached(&flow)) {
        return refuse(format!("{place}.carrier"), "no flow with numbers uses this carrier");
    }
    let index = scenario.carrier_index(id).and_then(|n| scenario.carriers[n].country_index());
    let calling = index.map_or("", |n| country::COUNTRIES[n].calling);
    let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || prefix.len() > 12 || !prefix.starts_with(calling) {
        return refuse(format!("{place}.prefix"), format!("digits that begin with {calling}"));
    }
    Ok(())
}
