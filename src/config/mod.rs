//! Settings from the environment, a file per concern.
//!
//! Every variable is read through [`Variables`], so that tests pass a map. A bad value is one
//! line that names the variable, what it holds and what it may hold.

mod access;
mod analysis;
mod broker;
mod bucket;
mod database;
mod limits;
mod ocr;
mod responder;
mod server;
mod statuses;
mod storage;
mod streams;
mod traces;
mod variables;
mod vercel;

pub use access::{AccessConfig, Environment};
pub use analysis::AnalyzerConfig;
pub use broker::{BrokerConfig, UpstashConfig};
pub use bucket::BucketConfig;
pub use limits::LimitsConfig;
pub use ocr::OcrConfig;
pub use responder::ResponderConfig;
pub use server::ServerConfig;
pub use storage::{FilesConfig, StorageConfig};
pub use streams::StreamsConfig;
pub use traces::TracesConfig;
pub use variables::{ConfigError, Variables};

pub use crate::{
    broker::Emit,
    documents::{DatabaseUrl, DocumentStatus, StatusSqlSettings},
};

/// Everything a server is told at its start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where it listens and how it logs.
    pub server: ServerConfig,
    /// Who may do what.
    pub access: AccessConfig,
    /// How much of it.
    pub limits: LimitsConfig,
    /// How events cross processes.
    pub broker: BrokerConfig,
    /// Where documents and files are kept.
    pub storage: StorageConfig,
    /// Who analyzes texts. None: the rules of this program.
    pub analyzer: Option<AnalyzerConfig>,
    /// Who answers what patients ask in chats.
    pub responder: ResponderConfig,
    /// How streams work.
    pub streams: StreamsConfig,
    /// Where documents without a text layer are read; without it they fail.
    pub ocr: Option<OcrConfig>,
    /// Where traces are sent; nowhere by default.
    pub traces: Option<TracesConfig>,
}

impl Config {
    /// Reads every setting.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that does not hold what it may.
    pub fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let server = ServerConfig::read(variables)?;
        let config = Self {
            access: AccessConfig::read(variables, server.environment)?,
            limits: LimitsConfig::read(variables, server.environment)?,
            broker: BrokerConfig::read(variables)?,
            storage: StorageConfig::read(variables)?,
            analyzer: AnalyzerConfig::read(variables)?,
            responder: ResponderConfig::read(variables, server.environment)?,
            streams: StreamsConfig::read(variables)?,
            ocr: OcrConfig::read(variables, server.environment)?,
            traces: TracesConfig::read(variables)?,
            server,
        };
        if vercel::is_here(variables) {
            vercel::require_shared_parts(&config)?;
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{documents::DocumentStatus, event::ChannelKind};

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        Config::read(&Variables::of(pairs)).map_err(|error| error.to_string())
    }

    const KEYS: [(&str, &str); 2] = [
        ("AUTH_JWT_SECRET", "0123456789abcdef0123456789abcdef"),
        ("INTERNAL_API_KEY", "internal-0123456789"),
    ];

    #[test]
    fn nothing_set_is_an_open_server_on_loopback() {
        let config = read(&[]).unwrap();

        assert_eq!(config.server.address(), "127.0.0.1:8080");
        assert_eq!(config.server.environment, Environment::Development);
        assert!(config.access.is_open());
    }

    #[test]
    fn a_server_that_others_reach_refuses_to_start_open() {
        for outside in [("HOST", "0.0.0.0"), ("VERCEL", "1"), ("RAILWAY_ENVIRONMENT", "production")] {
            assert!(read(&[outside]).unwrap_err().contains("AUTH_JWT_SECRET"), "{outside:?}");
            assert!(read(&[outside, KEYS[0]]).unwrap_err().contains("INTERNAL_API_KEY"), "{outside:?}");
            assert!(read(&[outside, ("APP_ENV", "development")]).is_ok(), "{outside:?}");
            if outside.0 != "VERCEL" {
                assert!(read(&[outside, KEYS[0], KEYS[1]]).is_ok(), "{outside:?}");
            }
        }
    }

    #[test]
    fn limits_hold_where_strangers_come_unless_a_variable_says_otherwise() {
        let open = read(&[]).unwrap().limits;
        let outside = read(&[("HOST", "0.0.0.0"), KEYS[0], KEYS[1]]).unwrap().limits;
        let tuned = read(&[("RATE_LIMIT_PER_TOKEN", "30"), ("TRUSTED_PROXY_HOPS", "2")]).unwrap().limits;
        let railway = [("RAILWAY_ENVIRONMENT", "production"), ("MAX_STREAMS_PER_ADDRESS", "0")];
        let railway = read(&[&railway[..], &KEYS].concat()).unwrap().limits;

        assert_eq!(open, LimitsConfig::default());
        assert_eq!(outside.requests_per_address.map(u32::from), Some(1_200));
        assert!(outside.streams_per_token.is_some() && outside.trusted_hops == 0);
        assert_eq!((tuned.requests_per_token.map(u32::from), tuned.trusted_hops), (Some(30), 2));
        assert_eq!((railway.streams_per_address, railway.trusted_hops), (None, 1));
    }

    #[test]
    fn vercel_gets_no_part_that_only_one_instance_would_see() {
        let parts = [
            ("UPSTASH_REDIS_REST_URL", "https://x.upstash.io"),
            ("DATABASE_URL", "postgres://db/a"),
            ("STORAGE_URL", "s3://bucket"),
        ];
        let needed = [
            KEYS[0],
            KEYS[1],
            ("VERCEL", "1"),
            ("UPSTASH_REDIS_REST_TOKEN", "t"),
            ("AWS_REGION", "auto"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        for count in 0..parts.len() {
            let error = read(&[&needed[..], &parts[..count]].concat()).unwrap_err();

            assert!(error.starts_with(parts[count].0) && error.contains("Vercel"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        let config = read(&[&needed[..], &parts].concat()).unwrap();
        assert_eq!(config.streams.longest.as_secs(), 280);
        assert!(config.streams.most <= 768, "{}", config.streams.most);
    }

    #[test]
    fn each_bad_value_names_its_variable_and_what_is_allowed() {
        let bad = [
            ("PORT", "eighty", "0 to 65535"),
            ("HOST", "my host", "an IP address"),
            ("APP_ENV", "prod", "development or production"),
            ("REALTIME_TRANSPORT", "kafka", "memory or upstash"),
            ("UPSTASH_REDIS_REST_URL", "redis://x.upstash.io", "https://"),
            ("DATABASE_URL", "mysql://x", "sqlite:// or postgres://"),
            ("DATABASE_URL", "postgres://a:b@host:port/c", "postgres://user:password@host"),
            ("DATABASE_DIRECT_URL", "postgres://host/c", "DATABASE_URL"),
            ("STATUS_SQL", "SELECT 1", "postgres://"),
            ("STATUS_MAP", "done=complete", "STATUS_SQL"),
            ("STORAGE_URL", "gs://bucket", "file:///"),
            ("STORAGE_URL", "s3://no_bucket", "s3://bucket"),
            ("ANALYZER_URL", "ftp://analyzer", "https://"),
            ("ANALYZER_URL", "http://analyzer.internal", "ANALYZER_ALLOW_HTTP"),
            ("ANALYZER_TOKEN", "hunter2", "ANALYZER_URL"),
            ("ANALYZER_TIMEOUT_SECONDS", "0", "1 to 300"),
            ("RESPONDER", "gpt", "local or off"),
            ("RATE_LIMIT_PER_ADDRESS", "many", "0 to 1000000"),
            ("MAX_STREAMS_PER_TOKEN", "-1", "0 to 1000000"),
            ("TRUSTED_PROXY_HOPS", "9", "0 to 8"),
            ("HEARTBEAT_INTERVAL_MS", "0", "100 to 60000"),
            ("STREAM_MAX_SECONDS", "-1", "5 to 3600"),
            (
                "STREAM_KINDS",
                "transcode,health",
                "health, proc_reqs, conv_case, doc_checklist, tidings are reserved",
            ),
            ("STREAM_KINDS", "doc_progress", "always there"),
            ("STREAM_KINDS", "chat", "always there"),
            ("STREAM_KINDS", "Video Jobs", "a–z 0–9 _"),
            ("EVENT_TTL_SECONDS", "5", "180 to 86400"),
            ("CORS_ALLOWED_ORIGINS", "example.org", "https://"),
            ("LOG_FORMAT", "xml", "text or json"),
            ("OCR_URL", "ocr.example.org", "https://"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://localhost:4317", "http://localhost:4318"),
            ("MIGRATE_ON_START", "maybe", "true or false"),
            ("AUTH_JWT_SECRET", "short", "32"),
            ("RUST_LOG", "tidings=loud", "info"),
        ];
        for (name, value, allowed) in bad {
            let error = read(&[(name, value)]).unwrap_err();

            assert!(error.contains(name) && error.contains(allowed), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_database_that_is_named_is_used_unless_memory_is_asked_for() {
        for (url, token) in
            [("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"), ("KV_REST_API_URL", "KV_REST_API_TOKEN")]
        {
            let database = [(url, "https://x.upstash.io"), (token, "t")];
            let transport =
                |more: &[(&str, &str)]| read(&[&database[..], more].concat()).unwrap().broker.as_str();

            assert_eq!(transport(&[]), "upstash");
            assert_eq!(transport(&[("REALTIME_TRANSPORT", "upstash")]), "upstash");
            assert_eq!(transport(&[("REALTIME_TRANSPORT", "memory")]), "memory");
            assert!(read(&database[..1]).unwrap_err().starts_with(token));
        }
        assert!(read(&[("REALTIME_TRANSPORT", "upstash")]).unwrap_err().contains("UPSTASH_REDIS_REST_URL"));
    }

    #[test]
    fn how_redis_is_asked_is_checked_too() {
        let database =
            [("UPSTASH_REDIS_REST_URL", "https://x.upstash.io"), ("UPSTASH_REDIS_REST_TOKEN", "t")];
        let bad = [
            ("UPSTASH_WAKE", "maybe", "off or on"),
            ("UPSTASH_EMIT", "stream", "list or log"),
            ("POLL_INTERVAL_MS", "10", "50 to 10000"),
            ("POLL_IDLE_INTERVAL_MS", "90000", "50 to 60000"),
        ];
        for (name, value, allowed) in bad {
            let error = read(&[&database[..], &[(name, value)]].concat()).unwrap_err();

            assert!(error.contains(name) && error.contains(allowed), "{error}");
        }
    }

    #[test]
    fn their_statuses_are_mapped_to_ours() {
        let with = |map| {
            read(&[("DATABASE_URL", "postgres://db/a"), ("STATUS_SQL", "SELECT 1"), ("STATUS_MAP", map)])
        };

        let words = with("in Arbeit=analyzing, done=complete,").unwrap().storage.status_sql.unwrap().words;

        assert_eq!((words.len(), words["in Arbeit"]), (2, DocumentStatus::Analyzing));
        for bad in ["done=finished", "done", "=complete", "a=failed,a=complete"] {
            let error = with(bad).unwrap_err();
            assert!(error.starts_with("STATUS_MAP") && error.contains("theirs=ours"), "{error}");
        }
        assert!(with("done=finished").unwrap_err().contains("complete, failed"));
    }

    #[test]
    fn other_kinds_are_named_by_their_operator() {
        let config = read(&[("STREAM_KINDS", "transcode, import_2,")]).unwrap();

        let kinds: Vec<_> = config.streams.kinds.iter().map(ChannelKind::as_str).collect();
        assert_eq!(kinds, ["transcode", "import_2"]);
        assert!(read(&[]).unwrap().streams.kinds.is_empty());
    }

    #[test]
    fn secrets_are_masked() {
        let error = read(&[("AUTH_JWT_SECRET", "hunter2")]).unwrap_err();
        let config = read(&KEYS).unwrap();

        assert!(!error.contains("hunter2"), "{error}");
        assert!(!format!("{config:?}").contains("0123456789"), "{config:?}");
    }
}
