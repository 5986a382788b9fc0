//! Documents dropped on the page go straight to the bucket, which is another origin.

use rstest::rstest;

use crate::{
    browser::page::{drop_files, first_done, open_live, steps, wait_for_cards, wait_for_done},
    support::{Browser, Host, On, S3, documents::fixture, s3::Seen},
};

const FILE: &str = "discharge_summary.pdf";

fn of_browser(s3: &S3) -> Vec<Seen> {
    s3.seen().into_iter().filter(|seen| seen.origin.is_some()).collect()
}

#[rstest]
#[tokio::test]
async fn a_dropped_file_is_put_to_the_bucket_by_the_browser_and_seen_to_its_end(
    #[values(On::Binary, On::Function)] on: On,
) {
    let s3 = S3::start();
    let server = Host::start(on, &s3.environment()).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;

    drop_files(&browser, &[(FILE, &fixture(FILE))]).await;
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_done(&browser).await;

    assert_eq!(steps(&browser).await, first_done(6));
    let put = of_browser(&s3).into_iter().find(|seen| seen.method == "PUT").expect("the browser has put it");
    assert_eq!(put.origin.as_deref(), Some(server.url.as_str()));
    assert!(put.path.contains("/incoming/"), "{put:?}");
    let [key] = &s3.keys()[..] else { panic!("{:?}", s3.keys()) };
    assert_eq!(s3.object(key).unwrap(), fixture(FILE));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.picture("bucket").await;
}

#[rstest]
#[tokio::test]
async fn a_bucket_that_is_away_is_said_in_words_and_the_file_can_be_sent_again(
    #[values(On::Binary, On::Function)] on: On,
) {
    let mut s3 = S3::start();
    let server = Host::start(on, &s3.environment()).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    s3.stop();

    drop_files(&browser, &[(FILE, &fixture(FILE))]).await;
    wait_for_cards(&browser, "upload_failed", 1).await;
    let words = browser.run("return document.querySelector('.failure').innerText").await;
    s3.start_again();
    browser.wait_until("document.querySelector('.again') && !document.querySelector('.again').hidden").await;
    browser.run("document.querySelector('.again').click()").await;
    wait_for_cards(&browser, "complete", 1).await;

    assert!(words.as_str().unwrap().contains("The storage could not be reached"), "{words}");
    wait_for_done(&browser).await;
}
