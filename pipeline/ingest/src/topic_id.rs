//! Ids of topics: a topic that was deleted and made anew has another one under the same name, and
//! its offsets begin again. rdkafka has no safe call for it, so librdkafka's own is called here.
//!
//! ```text
//! DescribeTopics [names] ─► queue of our own ─► one event ─► name and id of each topic
//! ```
//! The only unsafe code that ships. What keeps it sound: every pointer comes from librdkafka
//! and is checked for null, each object is destroyed once by its [`Owned`], and texts are copied
//! out before the event that holds them is destroyed.

#![expect(unsafe_code, reason = "librdkafka's DescribeTopics, which rdkafka does not wrap")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new,
    rd_kafka_AdminOptions_set_request_timeout, rd_kafka_DescribeTopics,
    rd_kafka_DescribeTopics_result_topics, rd_kafka_TopicCollection_destroy,
    rd_kafka_TopicCollection_of_topic_names, rd_kafka_TopicDescription_error,
    rd_kafka_TopicDescription_name, rd_kafka_TopicDescription_t,
    rd_kafka_TopicDescription_topic_id, rd_kafka_Uuid_base64str, rd_kafka_admin_op_t,
    rd_kafka_error_code, rd_kafka_event_DescribeTopics_result, rd_kafka_event_destroy,
    rd_kafka_event_error, rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll,
    rd_kafka_resp_err_t,
};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafka;

use crate::source::KafkaSource;

/// The id of no topic, as librdkafka writes it.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// An object of librdkafka; destroyed with this.
struct Owned<T> {
    object: *mut T,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// `None` where librdkafka gave none.
    fn new(object: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        (!object.is_null()).then_some(Self { object, destroy })
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the object came from librdkafka, is not null and is destroyed here only.
        unsafe { (self.destroy)(self.object) }
    }
}

impl KafkaSource {
    /// Ids of topics by name, as the broker tells them. One that has no id, because the broker is
    /// older than 2.8, is left out, and so is a topic that the broker does not describe.
    ///
    /// # Errors
    /// Where the broker does not answer within `wait`.
    pub(crate) fn describe(
        &self,
        topics: &[&str],
        wait: Duration,
    ) -> Result<BTreeMap<String, String>, KafkaError> {
        let names: Vec<CString> =
            topics.iter().filter_map(|name| CString::new(*name).ok()).collect();
        let wait_ms = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        let found = ask(self.consumer.client().native_ptr(), &names, wait_ms);
        found.map_err(|code| KafkaError::AdminOp(code.into()))
    }
}

fn ask(
    client: *mut RDKafka,
    names: &[CString],
    wait_ms: c_int,
) -> Result<BTreeMap<String, String>, rd_kafka_resp_err_t> {
    let failed = rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__FAIL;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the client lives as long as the consumer that was borrowed; the names outlive the
    // collection, which copies them.
    let (queue, options, collection) = unsafe {
        (
            Owned::new(rd_kafka_queue_new(client), rd_kafka_queue_destroy),
            Owned::new(
                rd_kafka_AdminOptions_new(
                    client,
                    rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
                ),
                rd_kafka_AdminOptions_destroy,
            ),
            Owned::new(
                rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()),
                rd_kafka_TopicCollection_destroy,
            ),
        )
    };
    let (queue, options, collection) =
        (queue.ok_or(failed)?, options.ok_or(failed)?, collection.ok_or(failed)?);
    // SAFETY: all objects are alive; no text of the error is asked for.
    let set = unsafe {
        rd_kafka_AdminOptions_set_request_timeout(options.object, wait_ms, ptr::null_mut(), 0)
    };
    told(set)?;
    // SAFETY: all objects are alive; the call copies what it needs and answers on the queue.
    let event = unsafe {
        rd_kafka_DescribeTopics(client, collection.object, options.object, queue.object);
        Owned::new(rd_kafka_queue_poll(queue.object, wait_ms), rd_kafka_event_destroy)
    };
    let event = event.ok_or(rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT)?;
    // SAFETY: the event is alive.
    told(unsafe { rd_kafka_event_error(event.object) })?;
    // SAFETY: the event is alive and owns the result, which is null where it is of another kind.
    let result = unsafe { rd_kafka_event_DescribeTopics_result(event.object) };
    if result.is_null() {
        return Err(failed);
    }
    let mut count = 0;
    // SAFETY: the result is alive; the array has `count` elements, owned by the event.
    let descriptions = unsafe { rd_kafka_DescribeTopics_result_topics(result, &raw mut count) };
    if descriptions.is_null() {
        return Ok(BTreeMap::new());
    }
    // SAFETY: as above, and the event outlives the slice.
    let descriptions = unsafe { std::slice::from_raw_parts(descriptions.cast_const(), count) };
    Ok(descriptions.iter().filter_map(|topic| name_and_id(*topic)).collect())
}

fn told(code: rd_kafka_resp_err_t) -> Result<(), rd_kafka_resp_err_t> {
    match code {
        rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(code),
    }
}

fn name_and_id(topic: *const rd_kafka_TopicDescription_t) -> Option<(String, String)> {
    if topic.is_null() {
        return None;
    }
    // SAFETY: the caller holds the event that owns the description, the id and both texts.
    unsafe {
        let error = rd_kafka_TopicDescription_error(topic);
        if !error.is_null() {
            told(rd_kafka_error_code(error)).ok()?;
        }
        let name = text(rd_kafka_TopicDescription_name(topic))?;
        let id = rd_kafka_TopicDescription_topic_id(topic);
        if id.is_null() {
            return None;
        }
        let id = text(rd_kafka_Uuid_base64str(id)).filter(|id| id != NO_ID)?;
        Some((name, id))
    }
}

/// A copy of a text.
///
/// # Safety
/// Null, or a text that ends with a zero and is alive.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().ok().map(str::to_owned)
}
