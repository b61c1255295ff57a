//! How long a client waits: the metadata key `grpc-timeout`.

use std::time::Duration;

use tonic::metadata::MetadataMap;

/// Time for the answer to travel, so that it arrives before the client gives up.
const TRAVEL: Duration = Duration::from_millis(100);

/// The client's deadline less the answer's travel; `None` if it sets none.
pub(crate) fn of(metadata: &MetadataMap) -> Option<Duration> {
    let value = metadata.get("grpc-timeout")?.to_str().ok()?;
    let timeout = parse(value)?;
    // A very short deadline still gets half of itself.
    Some(timeout.saturating_sub(TRAVEL).max(timeout / 2))
}

/// At most eight digits and a unit, as the gRPC specification writes it.
fn parse(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_units_of_the_specification() {
        assert_eq!(parse("4500m"), Some(Duration::from_millis(4500)));
        assert_eq!(parse("5S"), Some(Duration::from_secs(5)));
        assert_eq!(parse("1H"), Some(Duration::from_hours(1)));
        for wrong in ["", "S", "5", "5X", "-5S", "123456789S", "5é"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn leaves_time_for_the_answer_to_travel() {
        let mut metadata = MetadataMap::new();
        assert_eq!(of(&metadata), None);
        metadata.insert("grpc-timeout", "2S".parse().unwrap());
        assert_eq!(of(&metadata), Some(Duration::from_millis(1900)));
        metadata.insert("grpc-timeout", "100m".parse().unwrap());
        assert_eq!(of(&metadata), Some(Duration::from_millis(50)));
    }
}
