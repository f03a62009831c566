//! WhatsApp Cloud API.

use model::vocabulary::Source;
use serde_json::json;

use super::{field, statuses, traps};

#[test]
fn traps_of_whatsapp() {
    traps(Source::Whatsapp, STATUSES);
    statuses(Source::Whatsapp, MEANINGS, |told| {
        json!({"id": "wamid.a7", "status": told[0], "timestamp": "1795176003",
            "recipient_id": "447700900143", "errors": [{"code": field(told, 1)}]})
        .to_string()
    });
}

#[test]
fn traps_of_whatsapps_pricing() {
    traps(Source::Whatsapp, PRICING);
}

const MEANINGS: &str = "
sent -> whatsapp sent open none
delivered -> whatsapp delivered final none
read -> whatsapp read final none
played -> whatsapp read final none
deleted -> whatsapp unknown open none
warning -> whatsapp unknown open none
failed -> whatsapp failed final unknown
failed | 131026 -> whatsapp undelivered final not_capable
failed | 131047 -> whatsapp failed final invalid_request
failed | 131049 -> whatsapp failed final throttled
failed | 131050 -> whatsapp failed final opted_out
failed | 131051 -> whatsapp failed final invalid_request
failed | 131053 -> whatsapp failed final invalid_request
failed | 130472 -> whatsapp failed final blocked
failed | 130429 -> whatsapp failed final throttled
failed | 131056 -> whatsapp failed final throttled
failed | 132000 -> whatsapp rejected final invalid_request
failed | 132016 -> whatsapp rejected final invalid_request
failed | 132017 -> whatsapp failed final unknown
failed | 131042 -> whatsapp failed final configuration
failed | 131031 -> whatsapp failed final configuration
failed | 131000 -> whatsapp failed final unknown
failed | 470 -> whatsapp failed final invalid_request
failed | 480 -> whatsapp failed final unknown
";

const STATUSES: &str = r#"
recipient_id has no plus, timestamp is text of whole seconds
{"id":"wamid.a1","status":"delivered","timestamp":"1795176003","recipient_id":"447700900143"}
= event_time=2026-11-20T12:00:03.000000Z; recipient_prefix=+44770090; country=GB; security=e2ee

there is no event id: the message's id and the status are it, whenever they come again
{"id":"wamid.a1","status":"delivered","timestamp":"1795176009","recipient_id":"447700900143"}
= event_id=as above; message_key=as above; recipient_token=any

where the chat is open no delivered comes: a read settles the delivery
{"id":"wamid.a1","status":"read","timestamp":"1795176010","recipient_id":"447700900143"}
= status=read; is_final=true; event_id=not as above; message_key=as above

recipient_id is empty where the user has a name: the business-scoped id stands for the person
{"id":"wamid.a2","status":"delivered","timestamp":"1795176003","recipient_id":"",
 "recipient_user_id":"US.7700900143x"}
= recipient_token=any; recipient_prefix=null; country=null

or it is not there at all
{"id":"wamid.a3","status":"delivered","timestamp":"1795176003","recipient_user_id":"US.7700900143x"}
= recipient_token=as above; message_key=not as above

of a group the participant is the recipient
{"id":"wamid.a4","status":"read","timestamp":"1795176003","recipient_id":"group-77",
 "recipient_type":"group","recipient_participant_id":"447700900143"}
= recipient_prefix=+44770090; status=read

and each participant has an event of the one message
{"id":"wamid.a4","status":"read","timestamp":"1795176003","recipient_id":"group-77",
 "recipient_type":"group","recipient_participant_id":"447700900144"}
= event_id=not as above; message_key=as above; recipient_token=not as above

of one without a number the user id is told, and Meta's own pages spell the number in two ways
[{"id":"wamid.a5","status":"read","timestamp":"1795176003","recipient_id":"group-77",
  "recipient_type":"group","recipient_participant_user_id":"US.7700900143x"},
 {"id":"wamid.a5","status":"read","timestamp":"1795176003","recipient_id":"group-77",
  "recipient_type":"group","recipient_participant_user_id":"US.7700900144x"},
 {"id":"wamid.a5","status":"read","timestamp":"1795176003","recipient_id":"group-77",
  "recipient_type":"group","participant_recipient_id":"447700900143"}]
= recipient_token=any; recipient_prefix=null
= recipient_token=any; recipient_prefix=null
= recipient_prefix=+44770090

the first of them again
{"id":"wamid.a5","status":"read","timestamp":"1795176004","recipient_id":"group-77",
 "recipient_type":"group","recipient_participant_user_id":"US.7700900143x"}
= event_id=as above; message_key=as above; recipient_token=as above

the second is another event of another person
{"id":"wamid.a5","status":"read","timestamp":"1795176003","recipient_id":"group-77",
 "recipient_type":"group","recipient_participant_user_id":"US.7700900144x"}
= event_id=not as above; message_key=as above; recipient_token=not as above

a call's statuses stand where a message's do, and the change's name behind them
{"object":"whatsapp_business_account","entry":[{"id":"71","changes":[{"value":{"statuses":[
 {"id":"wacid.a1","timestamp":"1795176003","status":"RINGING","recipient_id":"447700900143"},
 {"id":"wacid.a1","status":"ACCEPTED","recipient_id":"447700900143","type":"call"}]},
 "field":"calls"}]}]}
! ignored call
! ignored call

without the change their type tells
[{"id":"wacid.a1","timestamp":"1795176003","type":"call","status":"REJECTED",
  "recipient_id":"447700900143"}]
! ignored call

what a call was, told at its end
{"object":"whatsapp_business_account","entry":[{"id":"71","changes":[{"field":"calls","value":{
 "calls":[{"id":"wacid.a1","event":"terminate","status":"COMPLETED","to":"447700900143"}]}}]}]}
! ignored other_field

a payment that failed is no message that failed, whatever its id
[{"id":"wamid.a6","type":"payment","status":"failed","timestamp":"1795176003",
  "recipient_id":"447700900143","payment":{"reference_id":"r-7"}},
 {"id":"wamid.a6","type":"payment","status":"captured","timestamp":"1795176003"},
 {"id":"wamid.a6","type":"payment","status":"pending","timestamp":"1795176003"},
 {"id":"wamid.a6","type":"message","status":"failed","timestamp":"1795176003"}]
! ignored payment
! ignored payment
! ignored payment
= message_id=wamid.a6; status=failed; element=3
$ amount=0.000000000

one POST holds entries of accounts, changes of each, statuses of each
{"object":"whatsapp_business_account","entry":[
 {"id":"71","changes":[
  {"field":"messages","value":{"metadata":{"display_phone_number":"15550100077"},"statuses":[
   {"id":"wamid.b1","status":"sent","timestamp":"1795176003","recipient_id":"447700900143"},
   {"id":"wamid.b2","status":"read","timestamp":"1795176003","recipient_id":"447700900143"}]}},
  {"field":"account_update","value":{"event":"x"}}]},
 {"id":"72","changes":[{"field":"messages","value":{"statuses":[
   {"id":"wamid.b3","status":"sent","timestamp":"1795176003","recipient_id":"447700900143",
    "biz_opaque_callback_data":"order-71"}]}}]}]}
= message_id=wamid.b1; account=71; sender=15550100077; element=0
= message_id=wamid.b2; account=71; element=1
= message_id=wamid.b3; account=72; sender=null; logical_id=order-71; element=3
! ignored other_field
"#;

const PRICING: &str = r#"
pricing comes with sent: a category and no amount, and an estimate, as delivery earns the charge
{"id":"wamid.c1","status":"sent","timestamp":"1795176003","recipient_id":"447700900143",
 "pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"marketing_lite"}}
= price=null; currency=null; traffic_class=marketing
$ kind=message; amount=null; sku=marketing_lite/regular; basis=estimated

and once more with delivered or read: one charge a message, not one an event
{"id":"wamid.c1","status":"delivered","timestamp":"1795176005","recipient_id":"447700900143",
 "pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"marketing_lite"}}
= event_id=not as above; message_key=as above
$ charge_id=as above; amount=null; basis=vendor

131049 comes seconds after sent, without pricing: what was charged is taken back
{"id":"wamid.c1","status":"failed","timestamp":"1795176006","recipient_id":"447700900143",
 "errors":[{"code":131049,"title":"t","message":"m","error_data":{"details":"d"}}]}
= status=failed; is_final=true; message_key=as above; error_code=131049
$ charge_id=as above; amount=0.000000000

service is not free by its name
{"id":"wamid.c2","status":"delivered","timestamp":"1795176005","recipient_id":"447700900143",
 "pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"service"}}
= traffic_class=conversation
$ charge_id=not as above; amount=null; sku=service/regular

type says what is free, not the older billable
{"id":"wamid.c3","status":"delivered","timestamp":"1795176005","recipient_id":"447700900143",
 "pricing":{"billable":true,"pricing_model":"PMP","type":"free_customer_service",
 "category":"utility"}}
= traffic_class=transactional
$ amount=0.000000000; sku=utility/free_customer_service

a conversation's event may have no type, and says billable of a service
{"id":"wamid.c4","status":"delivered","timestamp":"1795176005","recipient_id":"447700900143",
 "conversation":{"id":"c-71","origin":{"type":"service"}},
 "pricing":{"billable":true,"pricing_model":"CBP","category":"service"}}
= traffic_class=conversation
$ kind=conversation; amount=null; sku=service

another message of that conversation: charged once
{"id":"wamid.c5","status":"sent","timestamp":"1795176006","recipient_id":"447700900143",
 "conversation":{"id":"c-71","expiration_timestamp":"1795262406","origin":{"type":"service"}},
 "pricing":{"billable":true,"pricing_model":"CBP","category":"service"}}
= message_key=not as above
$ charge_id=as above

since v24.0 no conversation is told: what is charged is the message
{"id":"wamid.d1","status":"sent","timestamp":"1795176003","recipient_id":"447700900143",
 "pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}}
= event_time=2026-11-20T12:00:03.000000Z; traffic_class=transactional
$ kind=message; grain=message; basis=estimated; sku=utility/regular

where it is told by message, it ends as it begins, and is charged no more than that
{"id":"wamid.d1","status":"delivered","timestamp":"1795176004","recipient_id":"447700900143",
 "conversation":{"id":"c-81","expiration_timestamp":"1795176004","origin":{"type":"utility"}},
 "pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}}
= event_time=2026-11-20T12:00:04.000000Z; message_key=as above
$ kind=message; grain=message; basis=vendor; charge_id=as above

of a free entry point it is still told, and the message is free
{"id":"wamid.d2","status":"sent","timestamp":"1795176003","recipient_id":"447700900143",
 "conversation":{"id":"c-82","expiration_timestamp":"1795435203",
 "origin":{"type":"referral_conversion"}},"pricing":{"billable":false,"pricing_model":"PMP",
 "type":"free_entry_point","category":"referral_conversion"}}
= event_time=2026-11-20T12:00:03.000000Z; traffic_class=conversation
$ kind=message; grain=message; amount=0.000000000; charge_id=not as above

the international category has a hyphen in pricing
{"id":"wamid.c6","status":"delivered","timestamp":"1795176005","recipient_id":"447700900143",
 "pricing":{"pricing_model":"PMP","type":"regular","category":"authentication-international"}}
= traffic_class=otp
$ sku=authentication-international/regular

and an underscore in a conversation's origin
{"id":"wamid.c7","status":"read","timestamp":"1795176005","recipient_id":"447700900143",
 "conversation":{"id":"c-72","origin":{"type":"authentication_international"}}}
= traffic_class=otp

providers of an AI have a category
{"id":"wamid.c8","status":"delivered","timestamp":"1795176005","recipient_id":"447700900143",
 "pricing":{"pricing_model":"PMP","type":"regular","category":"general_purpose_ai"}}
= traffic_class=conversation
$ amount=null

a category that no table knows keeps its name
{"id":"wamid.c9","status":"delivered","timestamp":"1795176005","recipient_id":"447700900143",
 "pricing":{"pricing_model":"PMP","type":"regular","category":"agent_tokens"}}
= traffic_class=unknown
$ amount=null; sku=agent_tokens/regular

what an account was charged comes by days of its zone, without a currency
{"id":"71","pricing_analytics":{"data_points":[{"start":1795158000,"end":1795244400,"country":"BR",
 "phone_number":"15550100077","tier":"0:50000","pricing_type":"REGULAR","volume":40,"cost":0.272,
 "pricing_category":"UTILITY"}]}}
$ kind=message; grain=period; quantity=40.000000000; amount=0.272000000; currency=null; account=71

or by conversations, of which the direction tells two apart
{"id":"71","conversation_analytics":{"data":[{"data_points":[{"start":1795158000,"end":1795244400,
 "country":"BR","conversation":12,"conversation_direction":"BUSINESS_INITIATED","cost":1.5,
 "conversation_category":"AUTHENTICATION_INTERNATIONAL","conversation_type":"REGULAR"}]}]}}
$ kind=conversation; grain=period; quantity=12.000000000; traffic_class=otp

the user's conversations of that day
{"id":"71","conversation_analytics":{"data":[{"data_points":[{"start":1795158000,"end":1795244400,
 "country":"BR","conversation":12,"conversation_direction":"USER_INITIATED","cost":1.5,
 "conversation_category":"AUTHENTICATION_INTERNATIONAL","conversation_type":"REGULAR"}]}]}}
$ charge_id=not as above; amount=1.500000000
"#;
