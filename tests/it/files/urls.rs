//! What a signed URL is good for.

use std::{sync::Arc, time::Duration};

use tidings::{
    config::{Config, FilesConfig, Variables},
    documents::Files,
    event::Id,
};
use url::Url;

use super::status;
use crate::support::{S3, s3::SECRET};

const LASTS: Duration = Duration::from_secs(60);

async fn open(s3: &S3) -> Files {
    let config = Config::read(&Variables::of(&s3.environment())).unwrap();
    Files::open(&config.storage.files, Arc::default()).await.unwrap()
}

async fn put(url: &Url) -> u16 {
    status(reqwest::Client::new().put(url.clone()).body("x".repeat(10))).await
}

async fn get(url: &Url) -> u16 {
    status(reqwest::Client::new().get(url.clone())).await
}

#[tokio::test]
async fn a_url_is_good_for_its_own_key_and_method_only() {
    let s3 = S3::start();
    let files = open(&s3).await;
    let document = Id::random();
    let url = files.upload_url(&document, LASTS).await.unwrap().unwrap();
    let path = url.path().to_owned();
    let changed = |change: &dyn Fn(&mut Url)| {
        let mut url = url.clone();
        change(&mut url);
        url
    };

    let others = changed(&|url| url.set_path(&path.replace(document.as_str(), Id::random().as_str())));
    let taken = changed(&|url| url.set_path(&path.replace("/incoming/", "/documents/")));
    let longer = Url::parse(&url.as_str().replace("X-Amz-Expires=60", "X-Amz-Expires=600")).unwrap();
    let unsigned = changed(&|url| url.set_query(None));

    for url in [&others, &taken, &longer, &unsigned] {
        assert_eq!(put(url).await, 403, "{url}");
    }
    assert_eq!(get(&url).await, 403, "it does not read");
    assert_eq!(s3.keys(), Vec::<String>::new());
    assert_eq!(put(&url).await, 200);
    assert!(!url.as_str().contains(SECRET));
}

#[tokio::test]
async fn a_url_of_another_secret_is_refused() {
    let s3 = S3::start();
    let mut environment = s3.environment();
    environment[3].1 = "another-secret";
    let config = Config::read(&Variables::of(&environment)).unwrap();
    let files = Files::open(&config.storage.files, Arc::default()).await.unwrap();

    let url = files.upload_url(&Id::random(), LASTS).await.unwrap().unwrap();

    assert_eq!(put(&url).await, 403);
    assert_eq!(s3.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn a_url_ends() {
    let s3 = S3::start();
    let url = open(&s3).await.upload_url(&Id::random(), Duration::from_secs(1)).await.unwrap().unwrap();

    // Signed to the second, by the clock that the server reads too.
    tokio::time::sleep(Duration::from_millis(2_100)).await;

    assert_eq!(put(&url).await, 403);
}

#[tokio::test]
async fn a_taken_file_can_be_read_by_a_url_and_not_written() {
    let s3 = S3::start();
    let files = open(&s3).await;
    let document = Id::random();
    put(&files.upload_url(&document, LASTS).await.unwrap().unwrap()).await;
    let url = files.download_url(&document, LASTS).await.unwrap().unwrap();

    let before = get(&url).await;
    files.take(&document, 10, std::future::ready(true)).await.unwrap();

    assert_eq!((before, get(&url).await, put(&url).await), (404, 200, 403));
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    assert_eq!(text, "x".repeat(10));
}

#[tokio::test]
async fn a_folder_has_no_urls() {
    let folder = tempfile::tempdir().unwrap();
    let config = FilesConfig::Folder(folder.path().to_owned());
    let files = Files::open(&config, Arc::default()).await.unwrap();

    assert_eq!(files.upload_url(&Id::random(), LASTS).await.unwrap(), None);
    assert_eq!(files.download_url(&Id::random(), LASTS).await.unwrap(), None);
    assert!(files.upload_origin().is_none() && files.vital().is_none());
}
