//! An upload of which half has come.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Server, documents::fixture};

/// Its other half can be sent, or the connection dropped.
pub struct HalfUpload {
    pub document: String,
    rest: Vec<u8>,
    connection: TcpStream,
}

impl HalfUpload {
    /// Announces a file of `p1` and sends half of it.
    pub async fn start(server: &Server, name: &str) -> Self {
        let body = json!({
            "patient_id": "p1", "filename": name, "content_type": "application/pdf", "size": fixture(name).len(),
        });
        let answer = server.post("/api/v1/uploads/presign", &body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let (document, url) =
            (answer["document_id"].as_str().unwrap(), answer["upload_url"].as_str().unwrap());
        Self::of(server, document, url, name).await
    }

    /// Sends the head and half the body to a URL; the server's `100 Continue` says that it reads.
    pub async fn of(server: &Server, document: &str, url: &str, name: &str) -> Self {
        let mut file = fixture(name);
        let rest = file.split_off(file.len() / 2);
        let address = server.url.trim_start_matches("http://");
        let size = file.len() + rest.len();
        let head = format!(
            "PUT {url} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {size}\r\nConnection: close\r\n\
             Expect: 100-continue\r\n\r\n"
        );
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut go_on = [0; 25];
        connection.read_exact(&mut go_on).await.unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        connection.write_all(&file).await.unwrap();
        Self { document: document.to_owned(), rest, connection }
    }

    /// Sends the other half and gives the status of the answer.
    pub async fn finish(mut self) -> u16 {
        self.connection.write_all(&self.rest).await.unwrap();
        let mut answer = String::new();
        self.connection.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}
