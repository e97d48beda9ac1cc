//! Data stores, by the images that run them and the URLs that lead to them.

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Store {
    Postgres,
    MySql,
    Mongo,
    Redis,
    Elastic,
    Cassandra,
    ClickHouse,
    Etcd,
    Memcached,
    Kafka,
    RabbitMq,
    Nats,
    ObjectStore,
    SqlServer,
}

/// Last segments of image names, and schemes of URLs.
const NAMES: &[(&str, Store)] = &[
    ("postgres", Store::Postgres),
    ("postgresql", Store::Postgres),
    ("postgis", Store::Postgres),
    ("timescaledb", Store::Postgres),
    ("pgvector", Store::Postgres),
    ("cockroach", Store::Postgres),
    ("mysql", Store::MySql),
    ("mariadb", Store::MySql),
    ("percona", Store::MySql),
    ("mongo", Store::Mongo),
    ("mongodb", Store::Mongo),
    ("redis", Store::Redis),
    ("rediss", Store::Redis),
    ("valkey", Store::Redis),
    ("keydb", Store::Redis),
    ("dragonfly", Store::Redis),
    ("elasticsearch", Store::Elastic),
    ("opensearch", Store::Elastic),
    ("cassandra", Store::Cassandra),
    ("scylla", Store::Cassandra),
    ("clickhouse", Store::ClickHouse),
    ("clickhouse-server", Store::ClickHouse),
    ("etcd", Store::Etcd),
    ("memcached", Store::Memcached),
    ("kafka", Store::Kafka),
    ("cp-kafka", Store::Kafka),
    ("redpanda", Store::Kafka),
    ("rabbitmq", Store::RabbitMq),
    ("amqp", Store::RabbitMq),
    ("amqps", Store::RabbitMq),
    ("nats", Store::Nats),
    ("minio", Store::ObjectStore),
    ("mssql", Store::SqlServer),
    ("server", Store::SqlServer),
];

impl Store {
    pub fn word(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
            Self::Mongo => "MongoDB",
            Self::Redis => "Redis",
            Self::Elastic => "Elasticsearch",
            Self::Cassandra => "Cassandra",
            Self::ClickHouse => "ClickHouse",
            Self::Etcd => "etcd",
            Self::Memcached => "memcached",
            Self::Kafka => "Kafka",
            Self::RabbitMq => "RabbitMQ",
            Self::Nats => "NATS",
            Self::ObjectStore => "object store",
            Self::SqlServer => "SQL Server",
        }
    }

    /// `bitnami/postgresql:16`, `docker.io/library/redis@sha256:..`
    pub(crate) fn of_image(image: &str) -> Option<Self> {
        let name = image_name(image);
        if name == "server" {
            return image.contains("mssql").then_some(Self::SqlServer);
        }
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, s)| *s)
    }

    /// `postgresql+psycopg://user@db:5432/shop`: what it is, and the host.
    pub fn of_url(url: &str) -> Option<(Self, String)> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.rsplit("jdbc:").next().unwrap_or(scheme);
        let scheme = scheme.split('+').next().unwrap_or(scheme);
        let store = NAMES
            .iter()
            .filter(|(name, _)| *name != "server")
            .find(|(name, _)| *name == scheme)
            .map(|(_, store)| *store)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let host = host.split([':', ',']).next().unwrap_or_default();
        (!host.is_empty()).then(|| (store, host.to_ascii_lowercase()))
    }
}

/// The last segment of an image's name, without tag and digest.
pub(crate) fn image_name(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split(':').next().unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_known_by_its_image_or_its_url() {
        assert_eq!(Store::of_image("postgres:16-alpine"), Some(Store::Postgres));
        assert_eq!(
            Store::of_image("registry.example:5000/bitnami/redis@sha256:aa"),
            Some(Store::Redis)
        );
        assert_eq!(Store::of_image("shop/orders"), None);
        assert_eq!(
            Store::of_url("postgresql+psycopg2://u:p@db:5432/shop"),
            Some((Store::Postgres, "db".to_owned()))
        );
        assert_eq!(Store::of_url("http://orders:8000"), None);
    }
}
