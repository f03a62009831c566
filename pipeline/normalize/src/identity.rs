//! What tells one total of a report from another: names and values of its dimensions, whatever the
//! order of its fields or columns.

/// Appends a dimension, so that neither part runs into the other.
pub(crate) fn put(identity: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), value] {
        identity.extend_from_slice(&part.len().to_be_bytes());
        identity.extend_from_slice(part);
    }
}

/// The dimensions that were put, in an order of their own.
pub(crate) fn sorted(mut identity: &[u8]) -> Vec<&[u8]> {
    let mut pairs = Vec::new();
    while let Some((pair, rest)) = split_pair(identity) {
        pairs.push(pair);
        identity = rest;
    }
    pairs.sort_unstable();
    pairs
}

fn split_pair(identity: &[u8]) -> Option<(&[u8], &[u8])> {
    let part = |at: usize| {
        let (length, _) = identity.get(at..)?.split_first_chunk()?;
        Some(at + size_of::<usize>() + usize::from_be_bytes(*length))
    };
    identity.split_at_checked(part(part(0)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_the_same_in_any_order_and_do_not_run_together() {
        let of = |pairs: &[(&str, &str)]| {
            let mut identity = Vec::new();
            pairs.iter().for_each(|(name, value)| put(&mut identity, name, value.as_bytes()));
            sorted(&identity).into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
        assert_ne!(of(&[("a", "1"), ("b", "2")]), of(&[("a", "2"), ("b", "1")]));
        assert_ne!(of(&[("ab", "c")]), of(&[("a", "bc")]));
        assert!(of(&[]).is_empty());
    }
}
