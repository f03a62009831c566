//! Confirms subscriptions of Amazon SNS: one GET of the address that came in the request.
//!
//! Only where the configuration asks for it, the request's signature is right and the address is
//! `https://sns.<region>.amazonaws.com/?Action=ConfirmSubscription&…` ([`normalize`] decides that).
//! Redirects are not followed, the answer's body is not read, and nothing waits for it: the vendor
//! has had its answer. SNS repeats what is not confirmed for some minutes, and the address is good
//! for three days, so three tries are enough.

use std::time::Duration;

use reqwest::{Client, redirect};

/// Longest wait for an answer.
const WAIT: Duration = Duration::from_secs(5);
/// Rests before the second and the third try.
const RESTS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// A client that asks Amazon and nobody else.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    prepared().https_only(true).build()
}

fn prepared() -> reqwest::ClientBuilder {
    Client::builder().timeout(WAIT).redirect(redirect::Policy::none())
}

/// Asks until Amazon says yes, or three times; the log says which.
pub(crate) async fn confirm(client: Client, account: String, address: String) {
    match tried(&client, &address, &RESTS).await {
        Ok(()) => tracing::info!(account, "the subscription at Amazon SNS is confirmed"),
        Err(why) => tracing::warn!(
            account,
            address,
            why,
            "a subscription at Amazon SNS is not confirmed: open the address, if it is yours"
        ),
    }
}

async fn tried(client: &Client, address: &str, rests: &[Duration]) -> Result<(), String> {
    let mut rests = rests.iter();
    loop {
        let Err(why) = once(client, address).await else { return Ok(()) };
        let Some(rest) = rests.next() else { return Err(why) };
        tokio::time::sleep(*rest).await;
    }
}

async fn once(client: &Client, address: &str) -> Result<(), String> {
    // The address has a token, and an error of the client repeats it.
    let asked = client.get(address).send().await.map_err(reqwest::Error::without_url);
    let status = asked.map_err(|error| crate::failure::chain(&error))?.status();
    if status.is_success() { Ok(()) } else { Err(format!("the answer is {status}")) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Answers connections one after the other, then tells what was asked.
    fn server(answers: Vec<&'static str>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bound = listener.local_addr().unwrap();
        let address = format!("http://{bound}/?Action=ConfirmSubscription");
        let served = std::thread::spawn(move || {
            let answered = answers.into_iter().map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = [0; 4096];
                let n = stream.read(&mut head).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8_lossy(&head[..n]).lines().next().unwrap().to_owned()
            });
            answered.collect()
        });
        (address, served)
    }

    fn asked(answers: Vec<&'static str>) -> (Result<(), String>, Vec<String>) {
        let (address, served) = server(answers);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = prepared().no_proxy().build().unwrap();
        let told = runtime.block_on(tried(&client, &address, &[Duration::ZERO]));
        (told, served.join().unwrap())
    }

    const YES: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const NO: &str = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const ELSEWHERE: &str = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\
                             content-length: 0\r\nconnection: close\r\n\r\n";

    #[test]
    fn a_refusal_is_tried_again_and_told() {
        assert_eq!(asked(vec![NO, YES]).0, Ok(()));
        let (told, lines) = asked(vec![NO, NO]);
        assert_eq!(told, Err("the answer is 403 Forbidden".to_owned()));
        assert_eq!(lines, ["GET /?Action=ConfirmSubscription HTTP/1.1"; 2]);
    }

    #[test]
    fn a_redirect_is_not_followed() {
        assert_eq!(asked(vec![ELSEWHERE; 2]).0, Err("the answer is 302 Found".to_owned()));
    }

    #[test]
    fn plain_http_is_never_asked_and_the_token_is_not_told() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let address = "http://127.0.0.1:1/?Token=secret";
        let told = runtime.block_on(tried(&client().unwrap(), address, &[])).unwrap_err();
        assert!(!told.contains("secret"), "{told}");
    }
}
