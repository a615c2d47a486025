//! Rows are copied value by value, on both kinds of database alike.

use storage::{Database, Location, PostgresSettings, Value, query};

#[tokio::test]
async fn a_row_tells_every_value_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = testkit::postgres_database().unwrap();
    for location in [
        Location::File(folder.path().join("a.db")),
        Location::Postgres(PostgresSettings::new(server.url.clone())),
    ] {
        let database = Database::open(&location).await.unwrap();
        let bytes = if database.is_shared() { "BYTEA" } else { "BLOB" };
        let mut tx = database.begin().await.unwrap();
        for sql in [
            format!("CREATE TABLE t (n BIGINT, s TEXT, b {bytes}, empty TEXT)"),
            "INSERT INTO t (n, s, b) VALUES ($1, $2, $3)".to_owned(),
        ] {
            let statement = storage::query_built(sql.clone());
            let statement = if sql.starts_with("INSERT") {
                statement.bind(-5_i64).bind("ä").bind(vec![0_u8, 255])
            } else {
                statement
            };
            statement.execute(&mut tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        let row = query("SELECT * FROM t").fetch_one(&database).await.unwrap();
        let expected: [(&str, Value); 3] =
            [("n", (-5_i64).into()), ("s", "ä".into()), ("b", vec![0_u8, 255].into())];
        let expected: Vec<(String, Value)> =
            expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(row.named_values().unwrap(), expected, "{location:?}");
        database.close().await;
    }
}
