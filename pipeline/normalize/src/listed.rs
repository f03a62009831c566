//! One object, or a list of them, bare or below a key: how most vendors' JSON records are built.
//!
//! ```text
//! {…}                     one element, at the record itself
//! [{…},{…}]               two, at /0 and /1
//! {"messages":[{…},{…}]}  two, at /messages/0 and /messages/1
//! ```
//! The record is read whole before the first element is emitted. Elements wait as they were read;
//! where they are so small that they would take many times the record (`{},{},…`), those behind
//! the first are read once to see that they can be, and once more when they are emitted.

use crate::draft::{Elements, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Syntax};

/// Bytes that waiting elements may take beside so many times the record's own.
const HELD_BYTES: usize = 6 << 10;
const HELD_FACTOR: usize = 2;

/// The elements of a list and its path; `None` where the record is one object.
pub(crate) type Listed<'a, T> = Option<(&'static str, List<'a, T>)>;

/// Elements that wait for the end of their record.
#[derive(Debug, Clone)]
pub(crate) struct List<'a, T> {
    held: Elements<T>,
    /// In which text they stand, at which byte arrays go on behind the held ones, and how many
    /// elements each has there.
    text: Option<Cursor<'a>>,
    later: Vec<(usize, usize)>,
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        Self { held: Elements::default(), text: None, later: Vec::new() }
    }
}

impl<'a, T> List<'a, T> {
    /// Takes the elements of an array, each read by `one`.
    #[inline]
    pub(crate) fn read(
        &mut self,
        cursor: &mut Cursor<'a>,
        one: impl Fn(&mut Cursor<'a>) -> Result<T, Syntax>,
    ) -> Result<(), Syntax> {
        let mut is_first = true;
        cursor.array(|cursor| {
            self.take(cursor, is_first, &one)?;
            is_first = false;
            Ok(())
        })
    }

    /// Takes documents that stand one behind the other, with nothing between them.
    pub(crate) fn read_sequence(
        &mut self,
        cursor: &mut Cursor<'a>,
        one: impl Fn(&mut Cursor<'a>) -> Result<T, Syntax>,
    ) -> Result<(), Syntax> {
        let mut is_first = true;
        while cursor.end().is_err() {
            self.take(cursor, is_first, &one)?;
            is_first = false;
        }
        Ok(())
    }

    #[inline]
    fn take(
        &mut self,
        cursor: &mut Cursor<'a>,
        is_first: bool,
        one: impl Fn(&mut Cursor<'a>) -> Result<T, Syntax>,
    ) -> Result<(), Syntax> {
        let held_max = (HELD_BYTES + HELD_FACTOR * cursor.text_len()) / size_of::<T>().max(1);
        let before = *cursor;
        let element = one(cursor)?;
        match self.later.last_mut() {
            None if self.held.len() < held_max => self.held.push_of(element, held_max),
            Some((_, count)) if !is_first => *count += 1,
            _ => {
                self.text = Some(before);
                self.later.push((before.at(), 1));
            }
        }
        Ok(())
    }

    /// Those that wait as they were read: the first ones.
    pub(crate) fn held(&self) -> impl Iterator<Item = &T> {
        self.held.iter()
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.held.len() + self.later.iter().map(|(_, count)| count).sum::<usize>()
    }

    /// Hands each to `take` with its position; `one` reads as before.
    pub(crate) fn each(
        &self,
        one: impl Fn(&mut Cursor<'a>) -> Result<T, Syntax>,
        mut take: impl FnMut(usize, &T),
    ) {
        self.held.iter().enumerate().for_each(|(at, element)| take(at, element));
        let mut at = self.held.len();
        for (start, count) in &self.later {
            let Some(text) = self.text else { return };
            // What is unknown in them was counted when they were read first.
            let mut cursor = text.unwatched(*start);
            for _ in 0..*count {
                // It was read once, so it is read again.
                let Ok(element) = one(&mut cursor) else { return };
                take(at, &element);
                at += 1;
                cursor.pass_comma();
            }
        }
    }
}

/// An object by `field`; `set_damaged` marks what is none.
#[inline]
pub(crate) fn object<'a, T: Default>(
    cursor: &mut Cursor<'a>,
    field: impl Fn(&mut Cursor<'a>, &str, &mut T) -> Result<(), Syntax>,
    set_damaged: impl Fn(&mut T),
) -> Result<T, Syntax> {
    let mut element = T::default();
    if !cursor.object_or_skip(|cursor, key| field(cursor, key, &mut element))? {
        set_damaged(&mut element);
    }
    Ok(element)
}

/// The elements below a path; a key that stands twice adds to them, so none is lost.
pub(crate) fn below<'l, 'a, T>(
    listed: &'l mut Listed<'a, T>,
    path: &'static str,
) -> &'l mut List<'a, T> {
    &mut listed.get_or_insert_with(|| (path, List::default())).1
}

/// Hands every element to `emit` with its place, or the one object; an empty list is ignored.
pub(crate) fn emit_each<'a, T>(
    listed: &Listed<'a, T>,
    single: &T,
    out: &mut Emitter<'_>,
    one: impl Fn(&mut Cursor<'a>) -> Result<T, Syntax>,
    emit: impl Fn(&T, Place<'_>, &mut Emitter<'_>),
) {
    let Some((parent, elements)) = listed else {
        return emit(single, Place { parent: "", at: None }, out);
    };
    if elements.len() == 0 {
        out.ignored("empty");
    }
    elements.each(one, |at, element| emit(element, Place { parent, at: Some(at) }, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_beyond_what_may_wait_are_read_again_in_order() {
        let one = |cursor: &mut Cursor<'_>| Ok((cursor.scalar()?.whole(), [0_u64; 64]));
        let numbers: Vec<String> = (0..900).map(|number| number.to_string()).collect();
        let (first, second) = numbers.split_at(700);
        let mut list = List::default();
        let text = format!("[{}] [] [{}]", first.join(", "), second.join(","));
        let mut cursor = Cursor::new(&text);
        for _ in 0..3 {
            list.read(&mut cursor, one).unwrap();
        }
        assert!(list.held.len() < 100, "{} wait", list.held.len());
        assert_eq!(list.len(), 900);
        let mut seen = Vec::new();
        list.each(one, |at, (number, _)| seen.push((at, *number)));
        assert_eq!(seen, (0..900).map(|at| (at, i64::try_from(at).ok())).collect::<Vec<_>>());
        assert!(list.read(&mut Cursor::new("[1,}"), one).is_err());
    }
}
