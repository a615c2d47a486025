//! Whatever is committed makes another mark, on both kinds of database and by whichever handle; what is not, does not.
#![expect(clippy::unwrap_used, reason = "tests panic on purpose")]

use storage::{Database, Location, Mark, PostgresSettings, query};

async fn mark(database: &Database) -> Mark {
    database.mark().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_commit_makes_another_mark() {
    let folder = tempfile::tempdir().unwrap();
    // A server of its own: on a shared one others commit.
    let server = testkit::PostgresServer::start().unwrap();
    for location in [
        Location::File(folder.path().join("a.db")),
        Location::Postgres(PostgresSettings::new(server.create_database().unwrap())),
    ] {
        let (database, other) =
            (Database::open(&location).await.unwrap(), Database::open(&location).await.unwrap());
        let mut tx = database.begin().await.unwrap();
        for sql in ["CREATE TABLE things (name TEXT)", "CREATE TABLE quiet (name TEXT)"] {
            query(sql).execute(&mut tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        let first = mark(&database).await;
        assert_eq!(mark(&other).await, first, "{location:?}");

        let tx = database.begin().await.unwrap();
        assert_eq!(mark(&database).await, first, "{location:?}");
        tx.commit().await.unwrap();
        let mut tx = database.begin().await.unwrap();
        let _: i64 = query("SELECT count(*) FROM things").fetch_value(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(mark(&database).await, first, "nothing was written in {location:?}");

        let mut tx = other.begin().await.unwrap();
        query("INSERT INTO things (name) VALUES ('a')").execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let second = mark(&database).await;
        assert_ne!(second, first, "{location:?}");

        database.keep_quiet(&["quiet"]);
        let mut tx = other.begin().await.unwrap();
        query("INSERT INTO quiet (name) VALUES ('a')").execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(mark(&database).await == second, !database.is_shared(), "{location:?}");

        let third = mark(&database).await;
        let mut tx = other.begin().await.unwrap();
        query("INSERT INTO quiet (name) VALUES ('b')").execute(&mut tx).await.unwrap();
        query("DELETE FROM things WHERE name = 'a'").execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_ne!(mark(&database).await, third, "{location:?}");
        database.close().await;
        other.close().await;
    }
}
